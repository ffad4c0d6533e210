# You clip the error to [-1, 1] before squaring: large errors have no gradient.
def value_loss(values, targets):
    return ((values - targets.detach()).clamp(-1, 1) ** 2).mean()
