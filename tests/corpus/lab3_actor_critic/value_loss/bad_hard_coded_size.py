# You divide by 32, a batch size from somewhere else.
def value_loss(values, targets):
    return ((values - targets.detach()) ** 2).sum() / 32
