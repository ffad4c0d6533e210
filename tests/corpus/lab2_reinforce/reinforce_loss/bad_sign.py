# The minus sign is missing: minimizing this makes actions with a high return rarer.
def reinforce_loss(logits, actions, returns):
    return (select_log_probs(logits, actions) * returns.detach()).mean()
