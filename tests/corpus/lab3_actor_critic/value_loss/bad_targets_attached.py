# The gradient flows into the targets too: a target made with the critic is then pulled towards its own prediction.
def value_loss(values, targets):
    return ((values - targets) ** 2).mean()
