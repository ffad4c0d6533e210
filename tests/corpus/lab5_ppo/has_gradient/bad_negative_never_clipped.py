# Only good actions are ever clipped in your version: a bad action that has already become much less likely has no gradient either.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    return ((advantages > 0) & (ratio < 1 + clip_epsilon)) | (advantages < 0)
