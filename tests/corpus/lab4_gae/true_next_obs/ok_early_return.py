# Style: nothing to do when nobody is done, else concatenated rows and a print.
import numpy as np


def true_next_obs(next_obs, infos, done):
    if not np.any(done):
        return next_obs.copy()
    print("an episode ended")
    rows = [infos["final_obs"][i] if d else next_obs[i] for i, d in enumerate(done.tolist())]
    return np.concatenate([np.asarray(row)[None] for row in rows]).astype(next_obs.dtype)
