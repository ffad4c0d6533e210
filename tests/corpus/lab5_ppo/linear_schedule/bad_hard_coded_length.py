# The number of updates is fixed at 100 outside the function: your argument n_updates is never used.
N_UPDATES = 100


def linear_schedule(update, n_updates, initial):
    return initial * (1.0 - update / N_UPDATES)
