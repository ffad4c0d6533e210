# All actions get the return, not only the one that was taken.
def reinforce_loss(logits, actions, returns):
    return -(logits.log_softmax(dim=-1).sum(dim=-1) * returns.detach()).mean()
