# You subtract the return from the value: good actions get a negative advantage.
def monte_carlo_advantages(returns, values):
    return values.detach() - returns
