# You use a name that is not defined here: a function works from its arguments alone.
def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + discount * next_values * (~terminated) - values
