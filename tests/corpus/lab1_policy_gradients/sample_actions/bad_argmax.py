# You always take the likeliest action; the policy is random.
import torch


def sample_actions(logits, generator):
    actions = logits.argmax(dim=-1)
    return actions, select_log_probs(logits, actions)
