# You set the running sum to zero after the step that ends an episode, so the step before it loses its future, and the end itself still sees the next episode.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values = values.detach()
    next_values = next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = ~(terminated | truncated)
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + gamma * lam * running
        advantages[t] = running
        running = running * carry_on[t]
    return advantages, advantages + values
