# You forget to pass the generator on: the draw comes from the global stream.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits, -1), 1).squeeze(1)
    return actions, select_log_probs(logits, actions)
