# Your band lies around 0: an unchanged policy has ratio 1, so the band has to lie around 1.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    return ((advantages > 0) & (ratio < clip_epsilon)) | ((advantages < 0) & (ratio > -clip_epsilon))
