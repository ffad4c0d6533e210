# Your sign is turned round: minimizing this makes the critic as wrong as it can be.
def value_loss(values, targets):
    return -((values - targets.detach()) ** 2).mean()
