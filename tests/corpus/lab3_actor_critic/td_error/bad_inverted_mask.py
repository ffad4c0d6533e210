# Your mask is the wrong way round: the next value counts only where the task has ended.
def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + gamma * next_values * terminated - values
