# logits[:, actions] picks all taken actions for every sample, [B, B], instead of each sample's own.
def reinforce_loss(logits, actions, returns):
    chosen = logits.log_softmax(dim=-1)[:, actions]
    return -(chosen * returns.detach()).mean()
