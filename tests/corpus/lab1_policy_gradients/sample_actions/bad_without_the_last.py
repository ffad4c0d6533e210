# Your draw never takes the last action.
import torch


def sample_actions(logits, generator):
    p = torch.softmax(logits[:, :-1], -1)
    actions = torch.multinomial(p, 1, generator=generator).squeeze(1)
    return actions, select_log_probs(logits, actions)
