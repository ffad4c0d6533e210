import numpy as np
import torch


def sample_actions(logits, generator):
    seed = torch.randint(2**31, (4,), generator=generator).tolist()
    rng = np.random.default_rng(seed)
    noisy = logits.detach().double().numpy() + rng.gumbel(size=tuple(logits.shape))
    actions = torch.from_numpy(noisy.argmax(axis=1))
    return actions, select_log_probs(logits, actions)
