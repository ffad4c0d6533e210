# You guess truncation yourself and look ahead at every last step, ended or not.
def td_error(rewards, values, next_values, terminated, gamma):
    alive = (~terminated).float()
    alive[-1] = 1.0
    return rewards + gamma * next_values * alive - values
