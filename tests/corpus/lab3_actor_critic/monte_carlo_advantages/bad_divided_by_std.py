# You also divide the advantages by their standard deviation.
def monte_carlo_advantages(returns, values):
    advantages = returns - values.detach()
    return advantages / (advantages.std(correction=0) + 1e-8)
