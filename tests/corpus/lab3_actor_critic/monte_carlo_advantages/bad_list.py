# You return a list of numbers where a tensor is due.
def monte_carlo_advantages(returns, values):
    return [g - v for g, v in zip(returns.tolist(), values.tolist())]
