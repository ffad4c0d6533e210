# The values after a real end are set to 0 in place, so the caller's next_values are changed.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    with torch.no_grad():
        next_values[terminated] = 0.0
        deltas = rewards + gamma * next_values - values
        carry_on = gamma * lam * (~(terminated | truncated))
        advantages = torch.zeros_like(deltas)
        running = torch.zeros_like(deltas[0])
        for t in reversed(range(len(deltas))):
            running = deltas[t] + carry_on[t] * running
            advantages[t] = running
        return advantages, advantages + values
