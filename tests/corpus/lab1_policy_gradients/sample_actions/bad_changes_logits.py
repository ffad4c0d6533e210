# You normalize the caller's logits in place.
import torch


def sample_actions(logits, generator):
    logits -= torch.logsumexp(logits, -1, keepdim=True)
    actions = torch.multinomial(logits.exp(), 1, generator=generator).squeeze(1)
    return actions, logits.gather(1, actions[:, None]).squeeze(1)
