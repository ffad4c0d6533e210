# Style: PyTorch's own layer normalization over the whole batch.
import torch.nn.functional as F


def standardize(x, eps=1e-8):
    return F.layer_norm(x, x.shape, eps=eps)
