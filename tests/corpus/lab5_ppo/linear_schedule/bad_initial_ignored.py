# Your schedule returns the fraction that is left: it has not been multiplied with the initial value.
def linear_schedule(update, n_updates, initial):
    return 1.0 - update / n_updates
