# You square the difference: that is the critic's error, not an advantage, and it is never negative.
def monte_carlo_advantages(returns, values):
    return (returns - values.detach()) ** 2
