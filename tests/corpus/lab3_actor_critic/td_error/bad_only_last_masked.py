# You treat the end of the rollout as the end of the task.
def td_error(rewards, values, next_values, terminated, gamma):
    after = next_values * (~terminated)
    after[-1] = 0.0
    return rewards + gamma * after - values
