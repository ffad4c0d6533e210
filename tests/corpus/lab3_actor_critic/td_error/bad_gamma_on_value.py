# You discount the present value instead of the next one.
def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + next_values * (~terminated) - gamma * values
