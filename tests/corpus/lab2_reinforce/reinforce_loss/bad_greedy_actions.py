# It uses the log-probability of the likeliest action, not of the one that was taken.
def reinforce_loss(logits, actions, returns):
    best = logits.argmax(dim=-1)
    return -(select_log_probs(logits, best) * returns.detach()).mean()
