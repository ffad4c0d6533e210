# You report the mean of the log-ratio: that is negative on average, and a distance between policies is not.
def approx_kl(new_log_probs, old_log_probs):
    return (new_log_probs - old_log_probs).mean().item()
