# You cut the caller's own tensor off its graph (detach_): the value loss can no longer train the critic.
def monte_carlo_advantages(returns, values):
    return returns - values.detach_()
