# Style: torch.lerp in float32, back to a Python float.
import torch


def linear_schedule(update, n_updates, initial):
    start, end = torch.tensor(float(initial)), torch.tensor(0.0)
    return torch.lerp(start, end, update / n_updates).item()
