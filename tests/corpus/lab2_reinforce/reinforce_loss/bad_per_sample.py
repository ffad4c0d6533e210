# It returns one loss per sample; one number for the batch is due.
def reinforce_loss(logits, actions, returns):
    return -select_log_probs(logits, actions) * returns.detach()
