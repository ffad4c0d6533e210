# Style: an end value, a weighted mean of start and end, and a floor at zero.
def linear_schedule(update, n_updates, initial):
    end = 0.0
    progress = min(max(update / n_updates, 0.0), 1.0)
    return max((1 - progress) * initial + progress * end, 0.0)
