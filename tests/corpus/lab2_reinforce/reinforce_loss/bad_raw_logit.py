# It uses the logit of the action without normalizing: the other actions never hear of it.
def reinforce_loss(logits, actions, returns):
    chosen = logits.gather(-1, actions[:, None])[:, 0]
    return -(chosen * returns.detach()).mean()
