# Style: start minus a constant step per update.
def linear_schedule(update, n_updates, initial):
    step = initial / n_updates
    return float(initial) - update * step
