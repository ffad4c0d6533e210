"""When an agent counts as solving the task: a sequential test of the mean return of its episodes.

A mean of a few episodes says little: some agents land at 260 nearly always and crash now and then.
So an agent plays until the matter is clear, and in doubt it is accepted.

- **Refused** is who loses a bet. Whoever doubts the agent starts with a capital of 1 and bets on
  each episode that its return falls short of the level (200). No return reaches 400, so with
  y = (400 - return) / (400 - level), which is at least 0, and at most 1 on average if the mean
  return is at least the level, the capital is multiplied by 1 + b (y - 1) for a b between 0 and 1.
  If the agent's mean return is the level or more, nobody can expect to gain by that, and the
  probability that the capital *ever* reaches 2000 is at most 1/2000 (Ville 1939), however the
  returns are distributed and however often one looks. If the capital reaches it, the agent is
  refused. (The capital is divided among several b at the start, so that none has to be chosen.)
- **Accepted** at a look after 50, 100 or 200 episodes is who is clearly good enough: the mean is
  two standard errors or more above the level. After 400 episodes everybody who is not refused is.

Source: Waudby-Smith, Ramdas 2024, Estimating means of bounded random variables by betting, Journal
of the Royal Statistical Society B 86, 1-27, https://arxiv.org/abs/2010.09686.
"""

from __future__ import annotations

import numpy as np

LEVEL = 200.0
"""Mean return of greedy episodes that is asked for: where LunarLander counts as solved."""
HIGHEST = 400.0
"""No episode of LunarLander-v3 gives more: 120 for standing on both legs, at most 239 for the way
down (3,000 starts), less the fuel."""
LOOKS = (50, 100, 200, 400)
RUIN = 2000.0
BETS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
CLEAR = 2.0
ACCEPT, REFUSE, GO_ON = 1, -1, 0


def capital(returns: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """What the one who doubts has after each episode: returns [..., n] -> capital [..., n]."""
    short = np.maximum(HIGHEST - np.asarray(returns, float), 0.0) / (HIGHEST - level)
    grown = np.zeros_like(short)
    for bet in BETS:
        grown += np.cumprod(1 + bet * (short - 1), axis=-1)
    return grown / len(BETS)


def look(returns: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """ACCEPT, REFUSE or GO_ON after the episodes so far: returns [..., n] -> [...], n in LOOKS.

    Returns are in an order fixed before they were played (that of the seeds), not in that in which
    the episodes ended. ValueError for another number of them.
    """
    returns = np.asarray(returns, float)
    n = returns.shape[-1]
    if n not in LOOKS:
        raise ValueError(f"there is no look after {n} episodes; there is one after {LOOKS}")
    refused = (capital(returns, level) >= RUIN).any(axis=-1)
    error = returns.std(axis=-1, ddof=1) / np.sqrt(n)
    accepted = (returns.mean(axis=-1) - CLEAR * error >= level) | (n == LOOKS[-1])
    return np.where(refused, REFUSE, np.where(accepted, ACCEPT, GO_ON))


def decide(returns: np.ndarray, level: float = LEVEL) -> tuple[bool, int] | None:
    """(accepted, episodes that it took), by the first look that decides; None if none does yet."""
    for n in LOOKS:
        if n > len(returns):
            return None
        found = int(look(returns[:n], level))
        if found != GO_ON:
            return found == ACCEPT, n
    raise AssertionError("the last look decides")
