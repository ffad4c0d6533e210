# You return float64 where float32 is due.
def td_error(rewards, values, next_values, terminated, gamma):
    return (rewards + gamma * next_values * (~terminated) - values).double()
