# Your softmax runs over the whole batch at once, not row by row.
import torch


def select_log_probs(logits, actions):
    log_p = logits - torch.logsumexp(logits.reshape(-1), 0)
    return log_p.gather(-1, actions[:, None]).squeeze(-1)
