# Your mask wipes out the reward too where a task ends: only the next value is gone.
def td_error(rewards, values, next_values, terminated, gamma):
    return (rewards + gamma * next_values) * (~terminated) - values
