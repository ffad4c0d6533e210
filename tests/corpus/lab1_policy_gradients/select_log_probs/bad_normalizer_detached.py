# You treat the softmax's normalization as a constant: the values are right, but the gradient pushes one logit only.
import torch


def select_log_probs(logits, actions):
    chosen = logits.gather(-1, actions[:, None]).squeeze(-1)
    return chosen - torch.logsumexp(logits, -1).detach()
