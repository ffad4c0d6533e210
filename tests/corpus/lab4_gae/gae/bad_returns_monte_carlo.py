# Your returns are discounted sums of rewards; what is asked for is advantages + values.
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
    returns = torch.zeros_like(deltas)
    total = next_values[-1] * (~terminated[-1])
    for t in reversed(range(len(deltas))):
        total = torch.where(terminated[t], 0.0, torch.where(truncated[t], next_values[t], total))
        total = rewards[t] + gamma * total
        returns[t] = total
    return advantages, returns
