# You look into infos before you know that somebody is done; the key is absent when nobody is.
import numpy as np


def true_next_obs(next_obs, infos, done):
    rows = []
    for obs, final in zip(next_obs, infos["final_obs"]):
        rows.append(obs if final is None else final)
    return np.stack(rows)
