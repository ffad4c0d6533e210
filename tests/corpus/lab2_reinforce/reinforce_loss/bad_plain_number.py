# It returns a Python number, from which no gradient can flow back.
def reinforce_loss(logits, actions, returns):
    return -(select_log_probs(logits, actions) * returns).mean().item()
