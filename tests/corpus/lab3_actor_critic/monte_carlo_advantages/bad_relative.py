# You divide by the value: an advantage is a difference, not a ratio.
def monte_carlo_advantages(returns, values):
    v = values.detach()
    return (returns - v) / v.abs().clamp(min=1e-3)
