# A column [B, 1] of log-probabilities met a row [B] of returns, and all [B, B] products were summed.
def reinforce_loss(logits, actions, returns):
    log_probs = logits.log_softmax(dim=-1).gather(-1, actions.unsqueeze(-1))
    return -(log_probs * returns.detach()).sum() / len(actions)
