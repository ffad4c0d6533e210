# Style: initial times the fraction that is left.
def linear_schedule(update, n_updates, initial):
    return initial * (1.0 - update / n_updates)
