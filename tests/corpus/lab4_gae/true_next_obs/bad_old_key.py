# You ask for final_observation, the key of Gymnasium before version 1.0; it is called final_obs now, and get() hides that nothing was found.
import numpy as np


def true_next_obs(next_obs, infos, done):
    true_obs = next_obs.copy()
    final = infos.get("final_observation")
    if final is not None:
        for i in np.flatnonzero(done):
            true_obs[i] = final[i]
    return true_obs
