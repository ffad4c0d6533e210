# One end anywhere in a row cuts off all environments at that step.
def td_error(rewards, values, next_values, terminated, gamma):
    alive = ~terminated.any(dim=1, keepdim=True)
    return rewards + gamma * next_values * alive - values
