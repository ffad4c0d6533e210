# You also subtract the mean of the advantages: a critic that is too low everywhere no longer shows.
def monte_carlo_advantages(returns, values):
    advantages = returns - values.detach()
    return advantages - advantages.mean()
