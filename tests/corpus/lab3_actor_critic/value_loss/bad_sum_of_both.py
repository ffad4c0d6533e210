# You square the sum of value and target instead of their difference.
def value_loss(values, targets):
    return ((values + targets.detach()) ** 2).mean()
