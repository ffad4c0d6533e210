# You square the error: that is a loss, not an advantage.
def td_error(rewards, values, next_values, terminated, gamma):
    return (rewards + gamma * next_values * (~terminated) - values) ** 2
