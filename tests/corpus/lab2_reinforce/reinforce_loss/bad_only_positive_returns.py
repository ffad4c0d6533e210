# Samples with a negative return are left out; they are what makes bad actions rarer.
def reinforce_loss(logits, actions, returns):
    return -(select_log_probs(logits, actions) * returns.detach().clamp(min=0)).mean()
