import numpy as np
import torch


def td_error(rewards, values, next_values, terminated, gamma):
    r, v, nv, d = (x.detach().numpy().astype(np.float64) for x in (rewards, values, next_values, terminated))
    delta = r + gamma * nv * (1 - d) - v
    return torch.as_tensor(delta, dtype=torch.float32)
