# The returns are multiplied in place, so the caller's tensor is changed.
def reinforce_loss(logits, actions, returns):
    weights = returns.detach()
    weights *= -1
    return (select_log_probs(logits, actions) * weights).mean()
