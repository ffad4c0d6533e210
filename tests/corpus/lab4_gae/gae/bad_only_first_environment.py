# Only the first environment gets its sum; the others keep their TD errors.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values = values.detach()
    next_values = next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = deltas.clone()
    running = 0.0
    for t in reversed(range(len(deltas))):
        running = deltas[t, 0] + carry_on[t, 0] * running
        advantages[t, 0] = running
    return advantages, advantages + values
