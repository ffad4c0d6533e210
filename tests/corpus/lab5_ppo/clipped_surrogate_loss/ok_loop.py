# Style: a Python loop over the samples with if and else.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    total = torch.zeros(())
    for i in range(len(new_log_probs)):
        a = advantages[i].item()
        r = torch.exp(new_log_probs[i] - old_log_probs[i].item())
        if a > 0 and r.item() > 1 + clip_epsilon:
            objective = torch.tensor((1 + clip_epsilon) * a)
        elif a < 0 and r.item() < 1 - clip_epsilon:
            objective = torch.tensor((1 - clip_epsilon) * a)
        else:
            objective = r * a
        total = total - objective
    return total / len(new_log_probs)
