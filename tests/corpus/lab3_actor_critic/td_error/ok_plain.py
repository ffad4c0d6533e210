def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + gamma * next_values * (~terminated) - values
