# You mix the policy with a uniform random choice, so that rare actions come too often.
import torch


def sample_actions(logits, generator):
    p = 0.85 * torch.softmax(logits, -1) + 0.15 / logits.shape[-1]
    actions = torch.multinomial(p, 1, generator=generator).squeeze(1)
    return actions, select_log_probs(logits, actions)
