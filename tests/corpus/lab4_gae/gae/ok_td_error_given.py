# Style: the TD error of lab 3, and a list that grows at its front.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    delta = td_error(rewards, values.detach(), next_values.detach(), terminated, gamma)
    done = torch.logical_or(terminated, truncated)
    found = []
    ahead = torch.zeros(rewards.shape[1])
    for t in range(rewards.shape[0] - 1, -1, -1):
        ahead = delta[t] + gamma * lam * torch.where(done[t], torch.zeros_like(ahead), ahead)
        found.insert(0, ahead)
    advantages = torch.stack(found)
    return advantages, advantages + values.detach()
