# Your schedule is a cosine curve: both ends are right, but between them it is not a straight line.
import math


def linear_schedule(update, n_updates, initial):
    return initial * 0.5 * (1 + math.cos(math.pi * update / n_updates))
