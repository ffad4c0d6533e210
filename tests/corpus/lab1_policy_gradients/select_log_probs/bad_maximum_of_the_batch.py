# You subtract the largest logit of the whole batch instead of each row's own: exp underflows elsewhere.
def select_log_probs(logits, actions):
    safe = logits - logits.max()
    log_p = safe - safe.exp().sum(dim=1, keepdim=True).log()
    return log_p[torch.arange(len(actions)), actions]
