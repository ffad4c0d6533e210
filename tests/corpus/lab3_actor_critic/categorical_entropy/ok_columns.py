import torch


def categorical_entropy(logits):
    log_p = logits - logits.logsumexp(-1, keepdim=True)
    total = torch.zeros(len(logits))
    for a in range(logits.shape[1]):
        total = total - torch.exp(log_p[:, a]) * log_p[:, a]
    return total
