# It uses the probability where the logarithm of it is due.
def reinforce_loss(logits, actions, returns):
    p = logits.softmax(dim=-1).gather(-1, actions[:, None])[:, 0]
    return -(p * returns.detach()).mean()
