# You round the value: small learning rates lose their digits or become 0.
def linear_schedule(update, n_updates, initial):
    return round(initial * (1.0 - update / n_updates), 3)
