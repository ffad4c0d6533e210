# You normalize the advantages, and a batch of one becomes NaN.
def monte_carlo_advantages(returns, values):
    advantages = returns - values.detach()
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)
