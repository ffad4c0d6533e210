# You draw with NumPy's global random numbers, not from the generator.
import numpy as np
import torch


def sample_actions(logits, generator):
    noisy = logits.numpy() + np.random.gumbel(size=tuple(logits.shape))
    actions = torch.from_numpy(noisy.argmax(axis=1))
    return actions, select_log_probs(logits, actions)
