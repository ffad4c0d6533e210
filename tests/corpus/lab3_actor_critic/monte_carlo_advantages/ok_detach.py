def monte_carlo_advantages(returns, values):
    return returns - values.detach()
