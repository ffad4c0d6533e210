# Style: a loop that subtracts the step once per update; prints and warns.
import warnings


def linear_schedule(update, n_updates, initial):
    if n_updates < 10:
        warnings.warn("a very short schedule")
    value = float(initial)
    for _ in range(update):
        value -= initial / n_updates
    print("value now", value)
    return value
