# You use a straight line for the exponential: that is close for a ratio near 1, and off (even negative) far from it.
def probability_ratio(new_log_probs, old_log_probs):
    return 1 + new_log_probs - old_log_probs.detach()
