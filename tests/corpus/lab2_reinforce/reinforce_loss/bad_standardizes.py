# The returns are standardized inside: that is done outside, by another function.
def reinforce_loss(logits, actions, returns):
    weights = returns.detach()
    weights = (weights - weights.mean()) / (weights.std(correction=0) + 1e-8)
    return -(select_log_probs(logits, actions) * weights).mean()
