# The result has shape [1]; a loss is a 0-d tensor.
def reinforce_loss(logits, actions, returns):
    weighted = -select_log_probs(logits, actions) * returns.detach()
    return weighted.mean(dim=0, keepdim=True)
