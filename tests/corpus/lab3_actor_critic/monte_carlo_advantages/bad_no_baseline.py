# You return the returns: nothing is subtracted.
def monte_carlo_advantages(returns, values):
    return returns.clone()
