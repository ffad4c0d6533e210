# You take the absolute difference: an action that did worse than expected looks good.
def monte_carlo_advantages(returns, values):
    return (returns - values.detach()).abs()
