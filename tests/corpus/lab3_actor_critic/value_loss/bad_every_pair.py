# Each value meets every target: a column and a row give a square [B, B].
def value_loss(values, targets):
    return ((values.unsqueeze(-1) - targets.detach()) ** 2).mean()
