import torch


def sample_actions(logits, generator):
    uniform = torch.rand(logits.shape, generator=generator)
    gumbel = -torch.log(-torch.log(uniform))
    actions = (logits + gumbel).argmax(dim=-1)
    return actions, select_log_probs(logits, actions)
