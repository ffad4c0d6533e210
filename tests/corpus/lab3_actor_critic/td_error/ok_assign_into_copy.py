def td_error(rewards, values, next_values, terminated, gamma):
    ahead = next_values.clone()
    ahead[terminated] = 0
    return rewards.add(ahead, alpha=gamma) - values
