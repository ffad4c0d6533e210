# You return the log-probabilities of all actions, not those of the actions drawn.
import torch


def sample_actions(logits, generator):
    log_p = torch.log_softmax(logits, -1)
    return torch.multinomial(log_p.exp(), 1, generator=generator).squeeze(1), log_p
