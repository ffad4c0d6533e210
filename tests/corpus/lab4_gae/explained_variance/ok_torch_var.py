# Style: torch's variance, a guard for a constant target.
import torch


def explained_variance(predicted, target):
    spread = target.var(correction=0)
    if spread == 0:
        return float("nan")
    return (1 - (target - predicted).var(correction=0) / spread).item()
