# One running sum is carried through all environments: what happens in one flows into the others.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values = values.detach()
    next_values = next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.zeros_like(deltas)
    running = 0.0
    for t in reversed(range(deltas.shape[0])):
        for n in reversed(range(deltas.shape[1])):
            running = deltas[t, n] + carry_on[t, n] * running
            advantages[t, n] = running
    return advantages, advantages + values
