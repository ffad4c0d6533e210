# You do not look at truncated at all: at a time limit you neither cut the sum nor use the value of the state that was reached, but the first value of the next episode.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values, next_values = values.detach(), next_values.detach()
    following = torch.cat([values[1:], next_values[-1:]])
    alive = (~terminated).float()
    deltas = rewards + gamma * following * alive - values
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + gamma * lam * alive[t] * running
        advantages[t] = running
    return advantages, advantages + values
