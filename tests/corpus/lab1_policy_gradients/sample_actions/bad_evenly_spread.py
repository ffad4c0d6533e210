# You spread the random numbers evenly over the batch: the shares are right, but the rows are not independent.
import torch


def sample_actions(logits, generator):
    size = len(logits)
    start = torch.rand(1, generator=generator)
    uniform = ((torch.arange(size) * 0.618034 + start) % 1)[:, None]
    actions = (uniform > torch.softmax(logits, -1).cumsum(-1)).sum(-1)
    actions = actions.clamp(max=logits.shape[-1] - 1)
    return actions, select_log_probs(logits, actions)
