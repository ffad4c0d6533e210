# It returns nothing: the caller gets None.
def linear_schedule(update, n_updates, initial):
    print(initial * (1.0 - update / n_updates))
