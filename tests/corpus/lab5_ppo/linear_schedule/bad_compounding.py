# Your schedule compounds: each update shrinks the already shrunken value, so it falls faster than a straight line.
def linear_schedule(update, n_updates, initial):
    value = float(initial)
    for k in range(update + 1):
        value *= 1 - k / n_updates
    return value
