# You are one update ahead: at update 0 your value has fallen already, and at the end it is negative.
def linear_schedule(update, n_updates, initial):
    return initial * (1 - (update + 1) / n_updates)
