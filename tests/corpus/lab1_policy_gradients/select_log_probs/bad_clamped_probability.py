# You limit the probability from below before the logarithm, so rare actions get a wrong log-probability and no gradient.
import torch


def select_log_probs(logits, actions):
    p = torch.softmax(logits, -1).gather(-1, actions[:, None]).squeeze(-1)
    return torch.log(p.clamp(min=1e-6))
