# Style: float64 inside, advanced indexing, back to float32 at the end; a warning.
import warnings

import torch


def reinforce_loss(logits, actions, returns):
    warnings.warn("working", stacklevel=1)
    log_p = logits.double().log_softmax(dim=-1)[torch.arange(len(actions)), actions]
    return (-log_p * returns.detach().double()).mean().float()
