# You cut negative advantages off at zero: bad actions teach nothing.
def monte_carlo_advantages(returns, values):
    return (returns - values.detach()).clamp(min=0)
