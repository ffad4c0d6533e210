def value_loss(values, targets):
    t = targets.detach()
    return (values * (values - 2 * t) + t * t).mean()
