# Your sign is turned round: value minus target, so a good surprise counts as a bad one.
def td_error(rewards, values, next_values, terminated, gamma):
    return values - (rewards + gamma * next_values * (~terminated))
