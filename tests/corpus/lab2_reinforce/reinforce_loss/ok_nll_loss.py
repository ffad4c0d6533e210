# Style: the negative log-likelihood loss, sample by sample.
import torch.nn.functional as F


def reinforce_loss(logits, actions, returns):
    nll = F.nll_loss(F.log_softmax(logits, dim=-1), actions, reduction="none")
    return (nll * returns.detach()).sum() / nll.shape[0]
