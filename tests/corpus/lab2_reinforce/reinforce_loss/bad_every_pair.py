# Every log-probability is multiplied with every return, not only with its own: a column [B, 1] met a row [B], or the means were taken too early.
def reinforce_loss(logits, actions, returns):
    log_probs = logits.log_softmax(dim=-1).gather(-1, actions.unsqueeze(-1))
    return -(log_probs * returns.detach()).mean()
