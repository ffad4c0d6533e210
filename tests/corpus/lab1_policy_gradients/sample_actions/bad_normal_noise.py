# You add normal noise to the logits; only Gumbel noise draws from the softmax.
import torch


def sample_actions(logits, generator):
    noise = torch.randn(logits.shape, generator=generator)
    actions = (logits + noise).argmax(-1)
    return actions, select_log_probs(logits, actions)
