# It is the sum over the batch; the mean is due.
def reinforce_loss(logits, actions, returns):
    return -(select_log_probs(logits, actions) * returns.detach()).sum()
