# You take the difference of two mean squares, which is not the mean squared difference.
def value_loss(values, targets):
    return (values**2).mean() - (targets.detach() ** 2).mean()
