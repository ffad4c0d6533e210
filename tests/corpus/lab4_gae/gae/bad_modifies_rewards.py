# The value beyond the time limit is added to the rewards in place, so the caller's rewards are changed.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    with torch.no_grad():
        only_time = truncated & ~terminated
        rewards += gamma * next_values * only_time
        more = (~(terminated | truncated)).float()
        advantages = torch.empty_like(rewards)
        last = torch.zeros_like(rewards[0])
        for t in reversed(range(len(rewards))):
            last = rewards[t] + gamma * next_values[t] * more[t] - values[t] + gamma * lam * more[t] * last
            advantages[t] = last
        return advantages, advantages + values
