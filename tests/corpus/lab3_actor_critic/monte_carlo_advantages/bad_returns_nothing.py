# You compute the difference and do not return it.
def monte_carlo_advantages(returns, values):
    advantages = returns - values.detach()
