# You return next_obs as it is. Where an episode ended it holds the first observation of the next one.
import numpy as np


def true_next_obs(next_obs, infos, done):
    return next_obs
