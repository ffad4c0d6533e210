# Style: a copy, and a loop over the environments that are done.
import numpy as np


def true_next_obs(next_obs, infos, done):
    true_obs = next_obs.copy()
    for i in np.flatnonzero(done):
        true_obs[i] = infos["final_obs"][i]
    return true_obs
