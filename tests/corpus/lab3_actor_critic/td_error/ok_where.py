import torch


def td_error(rewards, values, next_values, terminated, gamma):
    after = torch.where(terminated, torch.zeros_like(next_values), next_values)
    target = rewards + gamma * after
    return target - values
