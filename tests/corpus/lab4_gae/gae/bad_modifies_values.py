# The returns are added up in the values in place, so the caller's values are changed.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values.data, next_values = values.data, next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + carry_on[t] * running
        advantages[t] = running
    with torch.no_grad():
        advantages = advantages.detach()
        values += advantages
    return advantages, values.detach()
