import numpy as np
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores.numpy().astype(np.float64) * (returns.numpy() - baseline)[:, None]
    mean = terms.mean(axis=0)
    error = np.sqrt(((terms - mean) ** 2).mean(axis=0) / len(terms))
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(error, dtype=torch.float32)
