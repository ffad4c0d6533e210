# The sum is cut one step too late: at t you ask whether step t + 1 was an end.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values = values.detach()
    next_values = next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[0])
    ahead = torch.ones_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + gamma * lam * ahead * running
        ahead = carry_on[t] / (gamma * lam + 1e-12)
        advantages[t] = running
    return advantages, advantages + values
