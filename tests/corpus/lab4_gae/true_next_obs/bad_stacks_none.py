# You use the whole of final_obs as if it were a matrix; where an episode goes on it holds None.
import numpy as np


def true_next_obs(next_obs, infos, done):
    if "final_obs" not in infos:
        return next_obs.copy()
    return np.where(done[:, None], np.stack(infos["final_obs"]), next_obs)
