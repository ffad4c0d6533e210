# You turn the value into a whole number: a learning rate below 1 becomes 0.
def linear_schedule(update, n_updates, initial):
    return int(initial * (1 - update / n_updates))
