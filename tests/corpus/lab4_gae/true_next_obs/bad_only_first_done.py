# Only the first environment that is done gets its final observation.
import numpy as np


def true_next_obs(next_obs, infos, done):
    true_obs = next_obs.copy()
    if done.any():
        i = int(np.argmax(done))
        true_obs[i] = infos["final_obs"][i]
    return true_obs
