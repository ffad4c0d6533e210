# You return a column [B, 1] where [B] is due.
def monte_carlo_advantages(returns, values):
    return (returns - values.detach()).unsqueeze(-1)
