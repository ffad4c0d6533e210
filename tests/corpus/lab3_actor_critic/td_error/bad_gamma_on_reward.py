# You discount the reward as well: it is paid now, only what comes after it is discounted.
def td_error(rewards, values, next_values, terminated, gamma):
    return gamma * (rewards + next_values * (~terminated)) - values
