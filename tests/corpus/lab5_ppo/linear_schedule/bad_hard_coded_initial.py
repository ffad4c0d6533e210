# The initial value is fixed in your code: your argument initial is never used.
def linear_schedule(update, n_updates, initial):
    return 3e-4 * (1 - update / n_updates)
