# You mix the final observation with the reset one; the step led to the final one only.
import numpy as np


def true_next_obs(next_obs, infos, done):
    true_obs = next_obs.copy()
    for i in np.flatnonzero(done):
        true_obs[i] = 0.5 * (true_obs[i] + infos["final_obs"][i])
    return true_obs
