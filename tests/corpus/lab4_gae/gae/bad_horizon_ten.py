# The sum stops after ten steps.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values, next_values = values.detach(), next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    more = (~(terminated | truncated)).float()
    advantages = torch.zeros_like(deltas)
    for t in range(len(deltas)):
        weight = torch.ones_like(deltas[0])
        for k in range(t, min(t + 10, len(deltas))):
            advantages[t] += weight * deltas[k]
            weight = weight * gamma * lam * more[k]
    return advantages, advantages + values
