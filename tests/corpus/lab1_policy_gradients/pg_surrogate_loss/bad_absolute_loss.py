# You take the absolute value of the loss: where it should be negative, everything is turned around.
def pg_surrogate_loss(log_probs, weights):
    return (log_probs * weights.detach()).mean().abs()
