# Your actions are floats; actions are whole numbers, int64.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).squeeze(1)
    return actions.float(), select_log_probs(logits, actions)
