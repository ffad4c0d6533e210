# At the end of the rollout you expect nothing more, although the episode goes on: the last step has a next value as well.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values, next_values = values.detach(), next_values.detach()
    worth = next_values * (~terminated)
    worth[-1] = worth[-1] * truncated[-1]
    deltas = rewards + gamma * worth - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + carry_on[t] * running
        advantages[t] = running
    return advantages, advantages + values
