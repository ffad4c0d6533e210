# The gradient also flows into the returns, which are data here.
def reinforce_loss(logits, actions, returns):
    return -(select_log_probs(logits, actions) * returns).mean()
