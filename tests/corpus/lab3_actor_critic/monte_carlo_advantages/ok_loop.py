import torch


def monte_carlo_advantages(returns, values):
    advantages = []
    for g, v in zip(returns.tolist(), values.tolist()):
        advantages.append(g - v)
    return torch.tensor(advantages, dtype=torch.float32)
