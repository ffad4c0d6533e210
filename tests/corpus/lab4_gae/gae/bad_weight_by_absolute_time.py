# The weight falls with the step's place in the rollout; it should fall with the distance from the step that is estimated.
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
    advantages = advantages * ((gamma * lam) ** torch.arange(len(rewards)))[:, None]
    return advantages, advantages + values
