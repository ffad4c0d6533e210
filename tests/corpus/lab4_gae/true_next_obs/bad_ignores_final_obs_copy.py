# You return a copy of next_obs; the final observations in infos are never used.
import numpy as np


def true_next_obs(next_obs, infos, done):
    return next_obs.copy()
