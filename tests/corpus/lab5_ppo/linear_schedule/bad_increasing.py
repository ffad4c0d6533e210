# Your schedule rises from 0 to the initial value: it runs the wrong way.
def linear_schedule(update, n_updates, initial):
    return initial * update / n_updates
