# You normalize the advantages as well: mean 0 and standard deviation 1 were not asked for here.
def monte_carlo_advantages(returns, values):
    advantages = returns - values.detach()
    return (advantages - advantages.mean()) / (advantages.std(correction=0) + 1e-8)
