# You subtract the mean return: the critic is not used at all.
def monte_carlo_advantages(returns, values):
    return returns - returns.mean()
