# You draw every action with the same probability and ignore the logits.
import torch


def sample_actions(logits, generator):
    actions = torch.randint(logits.shape[-1], (len(logits),), generator=generator)
    return actions, select_log_probs(logits, actions)
