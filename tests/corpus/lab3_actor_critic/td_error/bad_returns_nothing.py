# You compute the error and do not return it.
def td_error(rewards, values, next_values, terminated, gamma):
    delta = rewards + gamma * next_values * (~terminated) - values
