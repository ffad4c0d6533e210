# A loop over all later steps inside the loop over the steps: the work grows with the square of T. The recursion needs each step once.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    T, N = rewards.shape
    values, next_values = values.detach(), next_values.detach()
    deltas = rewards + gamma * next_values * (~terminated) - values
    done = terminated | truncated
    advantages = torch.zeros_like(deltas)
    for t in range(T):
        weight = torch.ones(N)
        for k in range(t, T):
            advantages[t] += weight * deltas[k]
            weight = weight * gamma * lam * (~done[k])
    return advantages, advantages + values
