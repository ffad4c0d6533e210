# You clip the advantages to [-1, 1]: large surprises count as little as small ones.
def monte_carlo_advantages(returns, values):
    return (returns - values.detach()).clamp(-1, 1)
