# You take the likeliest action most of the time and a random one now and then, as in Q-learning.
import torch


def sample_actions(logits, generator):
    size, count = logits.shape
    random = torch.randint(count, (size,), generator=generator)
    explore = torch.rand(size, generator=generator) < 0.1
    actions = torch.where(explore, random, logits.argmax(-1))
    return actions, select_log_probs(logits, actions)
