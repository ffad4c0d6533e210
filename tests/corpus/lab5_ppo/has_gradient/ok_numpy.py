# Style: numpy inside, a tensor outside.
import numpy as np
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    r = ratio.detach().cpu().numpy()
    a = advantages.detach().cpu().numpy()
    mask = np.select([a > 0, a < 0], [r < 1 + clip_epsilon, r > 1 - clip_epsilon], default=False)
    return torch.from_numpy(mask.astype(bool))
