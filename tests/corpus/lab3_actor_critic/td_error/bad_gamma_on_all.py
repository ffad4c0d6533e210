# You multiply the whole error by gamma.
def td_error(rewards, values, next_values, terminated, gamma):
    return gamma * (rewards + next_values * (~terminated) - values)
