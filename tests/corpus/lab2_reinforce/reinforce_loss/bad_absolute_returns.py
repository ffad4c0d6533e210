# The sign of the returns is lost: bad actions are made likelier too.
def reinforce_loss(logits, actions, returns):
    return -(select_log_probs(logits, actions) * returns.detach().abs()).mean()
