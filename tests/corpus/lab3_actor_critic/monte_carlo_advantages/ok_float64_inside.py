import torch


def monte_carlo_advantages(returns, values):
    baseline = values.data.double()
    return (returns.double() - baseline).to(torch.float32)
