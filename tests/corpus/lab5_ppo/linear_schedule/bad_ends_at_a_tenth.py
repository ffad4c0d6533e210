# Your line ends at a tenth of the initial value instead of 0: it is not steep enough.
def linear_schedule(update, n_updates, initial):
    final = 0.1 * initial
    return initial + (final - initial) * update / n_updates
