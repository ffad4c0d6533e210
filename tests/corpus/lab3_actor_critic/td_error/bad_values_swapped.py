# You have swapped the two values: the next one is subtracted from the present one.
def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + gamma * values * (~terminated) - next_values
