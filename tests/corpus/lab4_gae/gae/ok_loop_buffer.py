# Style: backward loop into a buffer, under no_grad.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    with torch.no_grad():
        advantages = torch.zeros_like(rewards)
        last = torch.zeros_like(rewards[0])
        for t in reversed(range(rewards.shape[0])):
            alive = (~terminated[t]).float()
            going_on = (~(terminated[t] | truncated[t])).float()
            delta = rewards[t] + gamma * next_values[t] * alive - values[t]
            last = delta + gamma * lam * going_on * last
            advantages[t] = last
        return advantages, advantages + values
