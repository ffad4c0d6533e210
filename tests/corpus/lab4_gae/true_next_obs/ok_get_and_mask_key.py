# Style: infos.get and Gymnasium's own mask.
import numpy as np


def true_next_obs(next_obs, infos, done):
    final_obs = infos.get("final_obs")
    if final_obs is None:
        return next_obs
    fixed = next_obs.copy()
    for i, ended in enumerate(infos["_final_obs"]):
        if ended:
            fixed[i] = final_obs[i]
    return fixed
