# Style: a decorator with functools.wraps that detaches the second argument, and a nested function.
import functools

import torch


def constant_in_second_argument(function):
    @functools.wraps(function)
    def wrapper(first, second, *args, **kwargs):
        return function(first, second.detach(), *args, **kwargs)

    return wrapper


@constant_in_second_argument
def probability_ratio(new_log_probs, old_log_probs):
    def log_ratio():
        return torch.subtract(new_log_probs, other=old_log_probs)

    return torch.exp(input=log_ratio())
