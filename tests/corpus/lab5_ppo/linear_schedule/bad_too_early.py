# Your schedule reaches 0 one update too early and is negative at the end: a negative learning rate climbs the loss.
def linear_schedule(update, n_updates, initial):
    return initial * (1.0 - update / max(n_updates - 1, 1))
