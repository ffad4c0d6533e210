# You return float64 where float32 is due.
def monte_carlo_advantages(returns, values):
    return returns.double() - values.detach().double()
