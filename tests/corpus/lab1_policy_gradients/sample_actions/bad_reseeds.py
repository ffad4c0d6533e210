# You seed the generator inside the function, so that every call gives the same actions.
import torch


def sample_actions(logits, generator):
    generator.manual_seed(0)
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).squeeze(1)
    return actions, select_log_probs(logits, actions)
