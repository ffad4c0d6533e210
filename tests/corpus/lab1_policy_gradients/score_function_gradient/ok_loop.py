import torch


def score_function_gradient(scores, returns, baseline=0.0):
    M, D = scores.shape
    total, squares = torch.zeros(D, dtype=torch.float64), torch.zeros(D, dtype=torch.float64)
    rows = [s.double() * (r.item() - baseline) for s, r in zip(scores, returns)]
    for row in rows:
        total += row
    mean = total / M
    for row in rows:
        squares += (row - mean) ** 2
    error = (squares / max(M - 1, 1) / M) ** 0.5
    return mean.float(), error.float()
