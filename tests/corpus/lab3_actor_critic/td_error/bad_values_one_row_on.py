# You take values[t + 1] for the next value: at a time limit that row belongs to the next episode.
def td_error(rewards, values, next_values, terminated, gamma):
    following = next_values.clone()
    following[:-1] = values[1:]
    return rewards + gamma * following * (~terminated) - values
