# There is no return statement, so the result is None.
def reinforce_loss(logits, actions, returns):
    loss = -(select_log_probs(logits, actions) * returns.detach()).mean()
