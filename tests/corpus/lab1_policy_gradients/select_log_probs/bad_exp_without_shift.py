# You exponentiate the logits as they are: exp of a large logit is infinite in float32.
import torch


def select_log_probs(logits, actions):
    chosen = logits.gather(-1, actions[:, None]).squeeze(-1)
    return chosen - torch.log(torch.exp(logits).sum(-1))
