# You add up in place: the rewards of the rollout are changed.
def td_error(rewards, values, next_values, terminated, gamma):
    rewards += gamma * next_values * (~terminated)
    return rewards - values
