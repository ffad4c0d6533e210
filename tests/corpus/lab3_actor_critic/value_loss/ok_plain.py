def value_loss(values, targets):
    return ((values - targets.detach()) ** 2).mean()
