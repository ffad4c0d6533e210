# You shift next_values by one more step: index t already describes the state after step t.
def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + gamma * next_values.roll(-1, 0) * (~terminated) - values
