# Once a task has ended you treat everything after it in the row as over: the next episode has begun.
def td_error(rewards, values, next_values, terminated, gamma):
    alive = terminated.cumsum(dim=0) == 0
    return rewards + gamma * next_values * alive - values
