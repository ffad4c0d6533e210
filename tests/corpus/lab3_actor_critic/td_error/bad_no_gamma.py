# The discount is missing: the next value is worth gamma times as much today.
def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + next_values * (~terminated) - values
