# The results are float64; the course's tensors are float32.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    rewards, values, next_values = (x.detach().double() for x in (rewards, values, next_values))
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + carry_on[t] * running
        advantages[t] = running
    return advantages, advantages + values
