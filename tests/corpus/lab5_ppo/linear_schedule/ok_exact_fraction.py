# Style: exact rational arithmetic, a nested function, float at the end.
from fractions import Fraction


def linear_schedule(update, n_updates, initial):
    def left():
        return 1 - Fraction(int(update), int(n_updates))

    return float(Fraction(float(initial)) * left())
