# You look ahead past the end of the task: after a termination nothing more can come.
def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + gamma * next_values - values
