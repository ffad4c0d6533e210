# Style: with the helper of lab 1.
def reinforce_loss(logits, actions, returns):
    return -(select_log_probs(logits, actions) * returns.detach()).mean()
