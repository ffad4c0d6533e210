# You subtract in place and change the values you were given.
def value_loss(values, targets):
    error = values.data
    error -= targets.detach()
    return (values**2).mean()
