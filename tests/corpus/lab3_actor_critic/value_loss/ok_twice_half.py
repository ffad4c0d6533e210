def value_loss(values, targets):
    print("value loss")
    return 2 * (0.5 * (targets.detach() - values).pow(2)).mean()
