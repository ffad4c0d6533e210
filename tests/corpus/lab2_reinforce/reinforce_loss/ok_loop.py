# Style: a Python loop over the samples.
import torch


def reinforce_loss(logits, actions, returns):
    total = torch.zeros(())
    for row, action, weight in zip(logits, actions.tolist(), returns.tolist()):
        log_prob = row[action] - torch.logsumexp(row, dim=0)
        total = total - weight * log_prob
    return total / len(actions)
