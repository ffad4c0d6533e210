# The results have a dimension too many: [T, N, 1] in place of [T, N].
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
    advantages = advantages.unsqueeze(-1)
    return advantages, advantages + values.unsqueeze(-1)
