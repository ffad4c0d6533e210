# Your log-probabilities keep a dimension: [B, 1] where [B] is due.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator)
    return actions.squeeze(1), torch.log_softmax(logits, -1).gather(-1, actions)
