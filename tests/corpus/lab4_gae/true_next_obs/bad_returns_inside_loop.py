# The return stands inside the loop, so only the first environment is looked at.
import numpy as np


def true_next_obs(next_obs, infos, done):
    true_obs = next_obs.copy()
    for i in range(len(done)):
        if done[i]:
            true_obs[i] = infos["final_obs"][i]
        return true_obs
