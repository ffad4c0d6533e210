import torch


def select_log_probs(logits, actions):
    mask = torch.nn.functional.one_hot(actions, logits.shape[-1]).bool()
    log_p = torch.log_softmax(logits, -1)
    return torch.where(mask, log_p, torch.zeros_like(log_p)).sum(-1)
