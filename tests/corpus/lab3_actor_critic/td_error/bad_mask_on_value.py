# You mask the present value as well: that state was there before the task ended.
def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + (gamma * next_values - values) * (~terminated)
