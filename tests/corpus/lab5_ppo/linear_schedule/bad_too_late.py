# Your schedule is divided by one update too many: at the end it is not yet 0.
def linear_schedule(update, n_updates, initial):
    return initial * (1.0 - update / (n_updates + 1))
