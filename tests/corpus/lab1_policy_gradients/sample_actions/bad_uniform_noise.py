# You add uniform noise to the logits; only Gumbel noise draws from the softmax.
import torch


def sample_actions(logits, generator):
    actions = (logits + torch.rand(logits.shape, generator=generator)).argmax(-1)
    return actions, select_log_probs(logits, actions)
