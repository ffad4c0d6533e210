# Your advantages are the TD errors alone, as if lambda were 0.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    advantages = (rewards + gamma * next_values * (~terminated) - values).detach()
    return advantages, advantages + values.detach()
