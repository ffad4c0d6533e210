# You take the absolute value of the loss: where it should be negative, everything is turned around.
def reinforce_loss(logits, actions, returns):
    return (select_log_probs(logits, actions) * returns.detach()).mean().abs()
