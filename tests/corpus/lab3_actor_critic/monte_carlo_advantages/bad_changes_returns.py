# You subtract in place: the returns of the rollout are changed, and the critic is trained on them next.
def monte_carlo_advantages(returns, values):
    returns -= values.detach()
    return returns
