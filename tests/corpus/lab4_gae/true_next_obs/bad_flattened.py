# The rows are joined end to end into one long row; stack them instead.
import numpy as np


def true_next_obs(next_obs, infos, done):
    final = infos.get("final_obs", [None] * len(done))
    return np.concatenate([f if d else o for o, f, d in zip(next_obs, final, done)])
