# You divide the logit by the sum of the logits, as if logits were weights; probabilities are the softmax.
import torch


def select_log_probs(logits, actions):
    share = logits.abs() / logits.abs().sum(-1, keepdim=True)
    return torch.log(share.gather(-1, actions[:, None]).squeeze(-1))
