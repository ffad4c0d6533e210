# Each return meets every value: a column and a row give a square [B, B].
def monte_carlo_advantages(returns, values):
    return returns - values.detach().unsqueeze(-1)
