# You detach the values: the loss is right, and the critic never learns.
def value_loss(values, targets):
    return ((values.detach() - targets.detach()) ** 2).mean()
