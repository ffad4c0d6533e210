# You return the log-probabilities first and the actions second.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).squeeze(1)
    return select_log_probs(logits, actions), actions
