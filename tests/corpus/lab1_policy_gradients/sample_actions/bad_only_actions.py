# You return the actions and forget their log-probabilities.
import torch


def sample_actions(logits, generator):
    return torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).squeeze(1)
