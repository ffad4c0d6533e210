# np.asarray makes no copy: you still write into the caller's next_obs.
import numpy as np


def true_next_obs(next_obs, infos, done):
    true_obs = np.asarray(next_obs)
    if done.any():
        true_obs[done] = np.stack(infos["final_obs"][done])
    return true_obs
