import torch


def sample_actions(logits, generator):
    cumulative = logits.softmax(-1).cumsum(-1)
    uniform = torch.rand(len(logits), 1, generator=generator)
    actions = (uniform > cumulative).sum(-1).clamp(max=logits.shape[-1] - 1)
    return actions, logits.log_softmax(-1)[torch.arange(len(logits)), actions]
