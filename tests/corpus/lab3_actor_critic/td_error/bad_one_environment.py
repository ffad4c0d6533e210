# You read the first environment only.
import torch


def td_error(rewards, values, next_values, terminated, gamma):
    out = torch.zeros(len(rewards), 1)
    for t in range(len(rewards)):
        after = 0.0 if terminated[t, 0] else gamma * next_values[t, 0].item()
        out[t, 0] = rewards[t, 0] + after - values[t, 0]
    return out
