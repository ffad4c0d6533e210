# You have 0.99 written into the code: gamma is an argument.
def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + 0.99 * next_values * (~terminated) - values
