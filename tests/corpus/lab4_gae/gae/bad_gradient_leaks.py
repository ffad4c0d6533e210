# The values keep their graph: advantages and returns are data for the losses and must not pass a gradient on.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    T = len(rewards)
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    rows = []
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(T)):
        running = deltas[t] + carry_on[t] * running
        rows.insert(0, running)
    advantages = torch.stack(rows)
    return advantages, advantages + values
