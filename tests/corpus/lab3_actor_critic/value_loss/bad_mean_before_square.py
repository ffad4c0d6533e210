# You average first and square afterwards: errors of both signs cancel.
def value_loss(values, targets):
    return (values - targets.detach()).mean() ** 2
