# Style: np.where between two full arrays.
import numpy as np


def true_next_obs(next_obs, infos, done):
    final = np.zeros_like(next_obs)
    if "final_obs" in infos:
        for i, row in enumerate(infos["final_obs"]):
            if row is not None:
                final[i] = row
    return np.where(done[:, None], final, next_obs)
