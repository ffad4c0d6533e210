# PyTorch refuses an operation on the whole batch: .item() wants a single number, and sizes have to fit.
import torch


def monte_carlo_advantages(returns, values):
    return torch.tensor([returns.item() - values.item()])
