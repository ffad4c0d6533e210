# You return a tensor of shape [1] where a 0-d tensor is due.
def value_loss(values, targets):
    return ((values - targets.detach()) ** 2).mean(dim=0, keepdim=True)
