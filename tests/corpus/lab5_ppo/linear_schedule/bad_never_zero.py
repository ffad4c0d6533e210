# Your schedule stops above 0: at the last update a tenth of the initial value is left.
def linear_schedule(update, n_updates, initial):
    return max(initial * (1 - update / n_updates), 0.1 * initial)
