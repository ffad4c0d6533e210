import torch


def sample_actions(logits, generator):
    log_p = torch.log_softmax(logits, -1)
    actions = torch.multinomial(log_p.exp(), 1, generator=generator).squeeze(1)
    return actions, log_p.gather(1, actions[:, None]).squeeze(1)
