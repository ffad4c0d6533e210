# Your masks are one step late: you look at the flags of step t + 1 where those of step t are due.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values, next_values = values.detach(), next_values.detach()
    none = torch.zeros_like(terminated[:1])
    term = torch.cat([terminated[1:], none])
    done = torch.cat([(terminated | truncated)[1:], none])
    advantages = torch.zeros_like(rewards)
    last = torch.zeros_like(rewards[0])
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + gamma * next_values[t] * (~term[t]) - values[t]
        last = delta + gamma * lam * (~done[t]) * last
        advantages[t] = last
    return advantages, advantages + values
