# You take the root of the mean squared error.
def value_loss(values, targets):
    return ((values - targets.detach()) ** 2).mean().sqrt()
