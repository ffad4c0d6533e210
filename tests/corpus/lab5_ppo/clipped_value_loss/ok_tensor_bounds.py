# Style: clamp with tensor bounds around the old values, errors by F.mse_loss with reduction "none".
import torch
from torch.nn import functional as F


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    anchor = old_values.detach()
    clipped = torch.clamp(values, anchor - clip_epsilon, anchor + clip_epsilon)
    plain = F.mse_loss(values, returns, reduction="none")
    bounded = F.mse_loss(clipped, returns, reduction="none")
    return torch.max(plain, bounded).mean()
