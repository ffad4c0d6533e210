# You number the environments that are done from 0; final_obs has a place for every environment.
import numpy as np


def true_next_obs(next_obs, infos, done):
    true_obs = next_obs.copy()
    for k, i in enumerate(np.flatnonzero(done)):
        final = infos["final_obs"][k]
        true_obs[i] = next_obs[i] if final is None else final
    return true_obs
