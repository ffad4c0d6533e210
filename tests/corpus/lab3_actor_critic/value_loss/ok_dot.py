def value_loss(values, targets):
    error = targets.detach() - values
    return error.dot(error) / len(error)
