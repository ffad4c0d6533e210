# You return the whole schedule: only the value at this update is wanted.
def linear_schedule(update, n_updates, initial):
    return [initial * (1.0 - k / n_updates) for k in range(n_updates + 1)]
