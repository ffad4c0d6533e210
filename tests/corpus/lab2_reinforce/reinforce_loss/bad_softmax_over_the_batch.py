# The softmax runs over the batch (dim=0) instead of over the actions.
def reinforce_loss(logits, actions, returns):
    chosen = logits.log_softmax(dim=0).gather(-1, actions[:, None])[:, 0]
    return -(chosen * returns.detach()).mean()
