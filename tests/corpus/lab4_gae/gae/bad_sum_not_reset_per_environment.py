# The running sum is not set back to 0 when the next environment begins.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values = values.detach()
    next_values = next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.zeros_like(deltas)
    running = torch.zeros(())
    for n in range(deltas.shape[1]):
        for t in reversed(range(deltas.shape[0])):
            running = deltas[t, n] + carry_on[t, n] * running
            advantages[t, n] = running
    return advantages, advantages + values
