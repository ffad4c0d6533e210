# The mask is the wrong way round: you replace the observations of the environments that go on.
import numpy as np


def true_next_obs(next_obs, infos, done):
    true_obs = next_obs.copy()
    for i in np.flatnonzero(~done):
        final = infos.get("final_obs", [None] * len(done))[i]
        true_obs[i] = 0.0 if final is None else final
    return true_obs
