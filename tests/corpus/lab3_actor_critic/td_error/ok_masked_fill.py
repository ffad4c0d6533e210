def td_error(rewards, values, next_values, terminated, gamma):
    bootstrap = next_values.masked_fill(terminated, 0.0)
    return (rewards + gamma * bootstrap).sub(values).detach()
