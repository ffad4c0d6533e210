# It is a squared error between log-probability and return, as in a regression.
def reinforce_loss(logits, actions, returns):
    return (select_log_probs(logits, actions) - returns.detach()).square().mean()
