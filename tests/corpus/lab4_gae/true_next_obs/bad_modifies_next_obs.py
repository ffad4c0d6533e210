# You write into next_obs itself (np.asarray and a slice make no copy either). The loop that plays still needs it: there the new episode begins.
import numpy as np


def true_next_obs(next_obs, infos, done):
    for i in np.flatnonzero(done):
        next_obs[i] = infos["final_obs"][i]
    return next_obs
