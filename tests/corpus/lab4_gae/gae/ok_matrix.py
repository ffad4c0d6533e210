# Style: a T x T matrix of weights for each environment, no recursion.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    T, N = rewards.shape
    delta = (rewards + gamma * next_values.masked_fill(terminated, 0.0) - values).detach()
    episode = torch.zeros(T, N, dtype=torch.long)
    episode[1:] = (terminated | truncated)[:-1].long().cumsum(0)
    steps = torch.arange(T)
    distance = steps[None, :] - steps[:, None]
    power = torch.where(distance >= 0, (gamma * lam) ** distance.clamp(min=0).double(), 0.0)
    advantages = torch.empty_like(delta)
    for n in range(N):
        same = episode[:, n][:, None] == episode[:, n][None, :]
        advantages[:, n] = (power * same).float() @ delta[:, n]
    return advantages, advantages + values.detach()
