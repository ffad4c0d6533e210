# The final observation of one environment is written into every row.
import numpy as np


def true_next_obs(next_obs, infos, done):
    true_obs = next_obs.copy()
    for i in np.flatnonzero(done):
        true_obs[:] = infos["final_obs"][i]
    return true_obs
