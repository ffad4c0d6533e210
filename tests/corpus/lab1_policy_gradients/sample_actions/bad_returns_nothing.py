# You draw and do not return what you drew.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).squeeze(1)
    select_log_probs(logits, actions)
