# You do not square: the mean difference can be made as negative as one likes.
def value_loss(values, targets):
    return (values - targets.detach()).mean()
