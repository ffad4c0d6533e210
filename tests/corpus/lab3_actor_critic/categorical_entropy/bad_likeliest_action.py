# You return minus the log-probability of the likeliest action instead of the mean over all of them.
def categorical_entropy(logits):
    return -logits.log_softmax(dim=-1).max(dim=-1).values
