# Style: a Python loop with if and else.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    losses = []
    for v, old, target in zip(values, old_values.tolist(), returns.tolist()):
        change = v - old
        if change.item() > clip_epsilon:
            bounded = torch.tensor(old + clip_epsilon)
        elif change.item() < -clip_epsilon:
            bounded = torch.tensor(old - clip_epsilon)
        else:
            bounded = v
        first, second = (v - target) ** 2, (bounded - target) ** 2
        losses.append(first if first.item() >= second.item() else second)
    return sum(losses) / len(losses)
