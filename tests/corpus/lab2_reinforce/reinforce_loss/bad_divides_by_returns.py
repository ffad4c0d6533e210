# It is divided by the sum of the returns' sizes instead of by the number of samples.
def reinforce_loss(logits, actions, returns):
    weights = returns.detach()
    weighted = select_log_probs(logits, actions) * weights
    return -weighted.sum() / (weights.abs().sum() + 1e-8)
