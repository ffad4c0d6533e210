# You divide the logits before the softmax, so that the draws come from a flatter policy.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits / 2, -1), 1, generator=generator).squeeze(1)
    return actions, select_log_probs(logits, actions)
