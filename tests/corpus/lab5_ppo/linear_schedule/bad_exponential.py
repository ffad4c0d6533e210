# Your schedule is a decay by a constant factor: it is curved, and it never reaches 0.
def linear_schedule(update, n_updates, initial):
    return initial * (1 - 1 / (n_updates + 1)) ** update
