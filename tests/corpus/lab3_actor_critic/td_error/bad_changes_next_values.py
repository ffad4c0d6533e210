# You write zeros into next_values itself: the rollout is changed.
def td_error(rewards, values, next_values, terminated, gamma):
    next_values[terminated] = 0.0
    return rewards + gamma * next_values - values
