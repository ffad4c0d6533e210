def td_error(rewards, values, next_values, terminated, gamma):
    not_done = 1.0 - terminated.float()
    return rewards + gamma * not_done * next_values - values
