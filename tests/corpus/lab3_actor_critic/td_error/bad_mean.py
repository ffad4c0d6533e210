# You return one number, the mean, where one error for each step and environment is due.
def td_error(rewards, values, next_values, terminated, gamma):
    return (rewards + gamma * next_values * (~terminated) - values).mean()
