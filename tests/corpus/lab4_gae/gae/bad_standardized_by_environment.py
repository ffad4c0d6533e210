# The advantages are standardized within each environment; that is left to whoever uses them.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values = values.detach()
    next_values = next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + carry_on[t] * running
        advantages[t] = running
    raw = advantages
    advantages = (raw - raw.mean(dim=0)) / (raw.std(dim=0, correction=0) + 1e-8)
    return advantages, raw + values
