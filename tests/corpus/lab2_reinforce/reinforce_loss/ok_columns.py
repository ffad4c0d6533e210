# Style: everything as columns [B, 1], so that the shapes fit.
def reinforce_loss(logits, actions, returns):
    chosen = logits.log_softmax(dim=-1).gather(-1, actions[:, None])
    return (-chosen * returns.detach()[:, None]).mean()
