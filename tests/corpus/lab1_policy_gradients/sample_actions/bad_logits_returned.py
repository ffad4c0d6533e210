# You return the logits of the actions, which are not normalized.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).squeeze(1)
    return actions, logits.gather(1, actions[:, None]).squeeze(1)
