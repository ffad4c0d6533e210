# Style: NumPy in float64, back to a float32 tensor at the end.
import numpy as np
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    r, v, nv = (x.detach().numpy().astype(np.float64) for x in (rewards, values, next_values))
    term, done = terminated.numpy(), (terminated | truncated).numpy()
    adv = np.zeros((len(r) + 1, r.shape[1]))
    for t in range(len(r) - 1, -1, -1):
        delta = r[t] + gamma * np.where(term[t], 0.0, nv[t]) - v[t]
        adv[t] = delta + gamma * lam * np.where(done[t], 0.0, adv[t + 1])
    adv = adv[:-1]
    return torch.tensor(adv, dtype=torch.float32), torch.tensor(adv + v, dtype=torch.float32)
