# You use integer division: the value stays at its start until the last update and then drops to 0 at once.
def linear_schedule(update, n_updates, initial):
    return initial * (1.0 - update // n_updates)
