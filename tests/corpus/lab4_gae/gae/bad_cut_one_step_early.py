# The sum is cut one step too early: at t you ask whether step t - 1 was an end.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values = values.detach()
    next_values = next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * torch.cat([torch.ones_like(terminated[:1]), ~(terminated | truncated)[:-1]])
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + carry_on[t] * running
        advantages[t] = running
    return advantages, advantages + values
