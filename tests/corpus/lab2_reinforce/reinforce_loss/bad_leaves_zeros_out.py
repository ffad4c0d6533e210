# You leave the steps with a return of zero out of the mean: they count too.
def reinforce_loss(logits, actions, returns):
    returns = returns.detach()
    total = -(select_log_probs(logits, actions) * returns).sum()
    return total / max(int((returns != 0).sum()), 1)
