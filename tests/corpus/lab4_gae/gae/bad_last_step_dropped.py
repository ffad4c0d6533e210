# The last step of the rollout is left out: its advantage stays 0, and the steps before it miss it.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values = values.detach()
    next_values = next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.zeros_like(deltas)
    for t in reversed(range(len(deltas) - 1)):
        advantages[t] = deltas[t] + carry_on[t] * advantages[t + 1]
    return advantages, advantages + values
