# Style: plain Python numbers, environment by environment, with ifs.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    T, N = rewards.shape
    advantages = torch.zeros(T, N)
    for n in range(N):
        r, v, nv = rewards[:, n].tolist(), values[:, n].tolist(), next_values[:, n].tolist()
        a = 0.0
        for t in range(T - 1, -1, -1):
            if terminated[t, n]:
                a = r[t] - v[t]
            elif truncated[t, n]:
                a = r[t] + gamma * nv[t] - v[t]
            else:
                a = r[t] + gamma * nv[t] - v[t] + gamma * lam * a
            advantages[t, n] = a
    return advantages, advantages + values.detach()
