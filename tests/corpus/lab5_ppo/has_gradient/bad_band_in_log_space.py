# You compare the log of the ratio with epsilon: the band 1 - epsilon to 1 + epsilon is meant for the ratio itself.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    log_ratio = torch.log(ratio)
    return ((advantages > 0) & (log_ratio < clip_epsilon)) | (
        (advantages < 0) & (log_ratio > -clip_epsilon)
    )
