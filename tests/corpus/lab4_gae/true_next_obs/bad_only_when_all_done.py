# You act only when all environments are done at once.
import numpy as np


def true_next_obs(next_obs, infos, done):
    true_obs = next_obs.copy()
    if done.all():
        true_obs[:] = np.stack(infos["final_obs"])
    return true_obs
