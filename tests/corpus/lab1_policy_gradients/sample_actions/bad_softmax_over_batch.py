# Your softmax runs over the batch, not over the actions.
import torch


def sample_actions(logits, generator):
    p = torch.softmax(logits, dim=0)
    actions = torch.multinomial(p, 1, generator=generator).squeeze(1)
    return actions, p.log().gather(1, actions[:, None]).squeeze(1)
