# You return one number for each sample where one for the batch is due.
def value_loss(values, targets):
    return (values - targets.detach()) ** 2
