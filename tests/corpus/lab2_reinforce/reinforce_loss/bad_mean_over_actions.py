# The mean also runs over the actions that were not taken: the loss is too small by the factor A.
import torch.nn.functional as F


def reinforce_loss(logits, actions, returns):
    mask = F.one_hot(actions, logits.shape[-1])
    return -(mask * logits.log_softmax(dim=-1) * returns.detach()[:, None]).mean()
