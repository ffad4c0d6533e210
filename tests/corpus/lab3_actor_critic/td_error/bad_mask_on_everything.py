# Your mask wipes out the whole error where a task ends: the last reward was still paid.
def td_error(rewards, values, next_values, terminated, gamma):
    return (rewards + gamma * next_values - values) * (~terminated)
