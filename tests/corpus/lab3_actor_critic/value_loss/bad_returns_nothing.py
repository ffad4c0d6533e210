# You compute the loss and do not return it.
def value_loss(values, targets):
    loss = ((values - targets.detach()) ** 2).mean()
