def value_loss(values, targets):
    total = 0.0
    for v, target in zip(values, targets.tolist()):
        total = total + (v - target) * (v - target)
    return total / len(values)
