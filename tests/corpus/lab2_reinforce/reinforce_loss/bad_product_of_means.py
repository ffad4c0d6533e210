# Every log-probability is multiplied with every return, not only with its own: a column [B, 1] met a row [B], or the means were taken too early.
def reinforce_loss(logits, actions, returns):
    return -select_log_probs(logits, actions).mean() * returns.detach().mean()
