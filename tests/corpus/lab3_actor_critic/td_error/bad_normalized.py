# You normalize the errors over the rollout, which was not asked for.
def td_error(rewards, values, next_values, terminated, gamma):
    delta = rewards + gamma * next_values * (~terminated) - values
    return (delta - delta.mean()) / (delta.std(correction=0) + 1e-8)
