# The mean return is subtracted inside; the returns are to be used as they come.
def reinforce_loss(logits, actions, returns):
    weights = returns.detach() - returns.detach().mean()
    return -(select_log_probs(logits, actions) * weights).mean()
