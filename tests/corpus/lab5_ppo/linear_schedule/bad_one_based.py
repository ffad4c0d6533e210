# You count updates from 1: at update 0 your value is larger than the initial one, and at the end it is not yet 0.
def linear_schedule(update, n_updates, initial):
    return initial * (1.0 - (update - 1) / n_updates)
