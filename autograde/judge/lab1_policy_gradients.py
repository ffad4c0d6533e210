"""Hidden tests of lab 1 (policy gradients): fresh inputs, and what is right for them.

References are NumPy in float64, entry by entry from the definitions, with gradients worked out by
hand. What a sampler draws is held against exact binomial bounds. ``tests`` compares all of it with
PyTorch's own distributions and autograd, and with SciPy. Equations: Williams (1992),
https://doi.org/10.1007/BF00992696, and Sutton et al. (1999), https://papers.nips.cc/paper/1713.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from autograde.judge.spec import (
    UNCHANGED,
    USUAL,
    Exercise,
    call_case,
    equal,
    f32,
    log_softmax,
    tensor,
    weights,
)
from course_utils.checks.codec import array_to_plain, encode_arguments

Array = np.ndarray


def _logits(rng: np.random.Generator, *shape: int, spread: float = 1.2) -> Array:
    """Draw logits [..., A] of both signs whose rows do not add up to anything special."""
    return f32(rng.normal(0.3, spread, shape))


def _follow(expect: dict[str, dict]) -> None:
    """Mark what cannot be looked at where the function does not return two things."""
    for fact, expected in expect.items():
        if fact not in ("what came back", "mutated"):
            expected["follows"] = True


def _float(values: Any, **room: float) -> dict:
    return {"is": "tensor", **array_to_plain(np.asarray(values, dtype=np.float32)), **room}


# --- select_log_probs ----------------------------------------------------------------------------


def _select_case(name: str, logits: Array, actions: Array, **kw: Any) -> dict:
    log_p = log_softmax(logits)
    result = np.array([log_p[b, a] for b, a in enumerate(actions)])
    gradient = np.empty_like(logits)
    for b, (a, weight) in enumerate(zip(actions, weights(len(actions)), strict=True)):
        for other in range(logits.shape[1]):
            gradient[b, other] = weight * ((other == a) - np.exp(log_p[b, other]))
    args = {"logits": tensor(logits), "actions": tensor(actions, torch.int64)}
    return call_case(name, args, result, {"logits": gradient}, **kw)


def _actions(rng: np.random.Generator, size: int, count: int) -> Array:
    """Draw actions [size], not all the same where there can be two."""
    actions = rng.integers(0, count, size)
    if size > 1:
        actions[:2] = [count - 1, 0]
    return actions


def select_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for log pi(a|s) of the actions taken."""
    cases = [
        _select_case(name, _logits(rng, size, count), _actions(rng, size, count))
        for name, size, count in (
            ("a batch", 4, 3), ("another size", 7, 5), ("as many actions as samples", 5, 5),
            ("more actions than samples", 2, 6),
        )
    ]  # fmt: skip
    shifted = f32(_logits(rng, 6, 4) + rng.choice([-40.0, 25.0, 30.0], (6, 1)))
    cases.append(
        _select_case(
            "logits shifted by a constant", shifted, _actions(rng, 6, 4),
            about="each row of logits is shifted by a constant, which no probability notices",
        )
    )  # fmt: skip
    one = _logits(rng, 1, 4)
    cases.append(_select_case("a batch of one", one, np.array([2]), aspect="corners"))
    extreme = f32(
        [
            [1e3, -1e3, 0.0],
            [-1e3, 1e3, 500.0],
            [1e3, 1e3, -1e3],
            [0.0, -1e3, 1e3],
            [-1e3, -990, -1e3],
        ]
    )
    cases.append(
        _select_case(
            "extreme logits", extreme, np.array([1, 0, 0, 2, 0]), aspect="corners",
            about="logits of plus and minus 1000; probabilities of 0 in float32",
        )
    )  # fmt: skip
    rare = f32(np.log([[1e-7, 1 - 2e-7, 1e-7], [0.5, 0.5 - 1e-6, 1e-6]]))
    cases.append(
        _select_case(
            "rare actions", rare, np.array([0, 2]), aspect="corners",
            about="actions with a probability of a ten-millionth",
        )
    )  # fmt: skip
    if not visible:
        size = 5000
        cases.append(
            _select_case(
                "a large batch", _logits(rng, size, 6), _actions(rng, size, 6),
                aspect="cost", cpu_seconds=2.0,
            )
        )  # fmt: skip
    return cases


# --- sample_actions ------------------------------------------------------------------------------

FALSE_ALARM = 1e-13
"""Chance that one count of an honest sampler lies outside its bounds; there are about 100."""


def binomial_bounds(n: int, p: float, chance: float = FALSE_ALARM) -> tuple[int, int]:
    """Return (low, high): a binomial count lies below low or above high with at most ``chance``.

    Exact tail sums, half of ``chance`` on each side, with a little room in p for float32.
    """
    counts = np.arange(n + 1)
    with np.errstate(divide="ignore"):
        log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    choose = log_factorial[n] - log_factorial - log_factorial[::-1]

    def mass(q: float) -> Array:
        q = min(max(q, 1e-300), 1 - 1e-16)
        return np.exp(choose + counts * np.log(q) + (n - counts) * np.log1p(-q))

    below = np.cumsum(mass(p * (1 - 1e-5) - 1e-7))
    above = np.cumsum(mass(p * (1 + 1e-5) + 1e-7)[::-1])
    low = int(np.searchsorted(below, chance / 2, side="right"))
    high = n - int(np.searchsorted(above, chance / 2, side="right"))
    return low, high


def _sample_case(
    name: str, rng: np.random.Generator, logits: Array, copies: int, calls: int, aspect: str,
    about: str, seeds: bool = False,
) -> dict:  # fmt: skip
    """One case: ``logits`` [R, A] are the different rows; the batch holds each ``copies`` times."""
    rows, count = logits.shape
    size, n = rows * copies, copies * calls
    log_p = log_softmax(logits)
    p = np.exp(log_p)
    expect: dict[str, dict] = {
        "what came back": equal(
            "two things", "a pair: actions, log_probs", "Return both, the actions first.",
            "not_two_things",
        ),
        "actions": equal(
            f"tensor of int64, shape [{size}]", f"a tensor of int64, shape [{size}]",
            "One whole number for each row of logits.", "wrong_actions",
        ),
        "actions out of range": equal(
            0, f"actions from 0 to {count - 1}", "", "actions_out_of_range", "{} outside",
        ),
    }  # fmt: skip
    aspects: dict[str, str] = {}
    # What gives a common misconception away comes before the counts themselves.
    if seeds:
        expect |= {
            "never_differs": equal(
                False, "actions that differ from draw to draw",
                "Draw from the probabilities; the likeliest action is not the only one.",
                "not_random", "the same actions at every call, whatever the generator",
            ),
            "rows_alike": equal(
                False, "now and then different actions in equal rows",
                "Each row of the batch needs a draw of its own.", "rows_not_independent",
                "one action for all equal rows",
            ),
            "same_seed_same_actions": equal(
                True, "the same actions for the same seed",
                "Draw from the generator that is passed in, not from the global one.",
                "ignores_generator", "other actions",
            ),
            "next_call_same_actions": equal(
                False, "fresh actions at the next call with the same generator",
                "The generator moves on by itself; do not seed it inside.",
                "same_actions_every_call", "the same ones again",
            ),
            "other_seed_same_actions": equal(
                False, "other actions for another seed",
                "Draw from the generator that is passed in.", "ignores_seed", "the same ones",
            ),
        }  # fmt: skip
        aspects |= {
            f"{which}_same_actions": "randomness"
            for which in ("same_seed", "next_call", "other_seed")
        }
    hint = "Compare how often each action comes with the softmax of the row's logits."
    for r in range(rows):
        if n > 1000 and 0.5 * abs(p[r] - 1 / count).sum() > 0.2:
            expect[f"distance from equal shares in state {r}"] = {
                "is": "between", "low": 0.04, "high": 1.0,
                "say": "shares of the actions that are clearly not equal",
                "hint": hint, "mistake": "draws_uniformly",
            }  # fmt: skip
    for r in range(rows):
        for a in range(count):
            low, high = binomial_bounds(n, float(p[r, a]))
            expect[f"times that action {a} came in state {r}"] = {
                "is": "between", "low": low, "high": high,
                "say": f"{low} to {high} of {n} draws; its probability is {p[r, a]:.4f}",
                "hint": hint, "mistake": "wrong_distribution",
            }  # fmt: skip
    if copies > 1:
        for r in range(rows):
            pairs = copies // 2 * calls
            low, high = binomial_bounds(pairs, float((p[r] ** 2).sum()))
            expect[f"pairs of rows that agree in state {r}"] = {
                "is": "between", "low": low, "high": high,
                "say": f"{low} to {high} of {pairs} pairs of equal rows with the same action, as "
                "for independent draws",
                "hint": "Each row of the batch needs a draw of its own.",
                "mistake": "rows_not_independent",
            }  # fmt: skip
    expect["log_probs"] = equal(
        f"tensor of float32, shape [{size}]", f"a tensor of float32, shape [{size}]",
        "One number for each action drawn.", "wrong_log_probs",
    )  # fmt: skip
    expect["spread of log-probabilities"] = {
        "is": "between", "low": 0.0, "high": 1e-3,
        "say": "one and the same log-probability whenever that action comes in that state",
        "hint": "Is it the log-probability of the action that is returned, or of another draw?",
        "mistake": "log_prob_of_another_draw",
    }  # fmt: skip
    kind = "log_probs" if aspect == "value" else aspect
    aspects |= dict.fromkeys(("log_probs", "spread of log-probabilities"), kind)
    for r in range(rows):
        for a in range(count):
            if (1 - p[r, a]) ** n < FALSE_ALARM:  # the others may not come at all
                fact = f"log-probability of action {a} in state {r}"
                expect[fact] = {"is": "number", "value": str(float(log_p[r, a])), "atol": 1e-4}
                aspects[fact] = kind
    expect["global random streams moved"] = equal(
        [], "none: all randomness comes from the generator",
        "torch.rand, multinomial and the like take a `generator`; Categorical does not.",
        "uses_global_stream",
    )  # fmt: skip
    aspects["global random streams moved"] = "randomness"
    expect["mutated"] = UNCHANGED
    _follow(expect)
    return {
        "name": name,
        "about": f"{about}; logits {_written(logits)}",
        "aspect": aspect,
        "aspects": aspects,
        "hide_arguments": True,
        "args": {
            **encode_arguments({"logits": tensor(logits)}),
            "copies": copies,
            "calls": calls,
            "seeds": seeds,
            "seed": int(rng.integers(1, 2**31)),
            "other_seed": int(rng.integers(1, 2**31)),
        },
        "expect": expect,
    }


def _written(logits: Array) -> str:
    return np.array2string(logits, precision=2, separator=", ", max_line_width=10_000).replace(
        "\n", ""
    )


def _spread_out(rng: np.random.Generator, rows: int, count: int) -> Array:
    """Draw logits [R, A] of policies that are neither flat nor certain: 0.03 <= p <= 0.75."""
    while True:
        p = rng.dirichlet(np.full(count, 1.5), rows)
        far = 0.5 * abs(p - 1 / count).sum(axis=1)
        if p.min() > 0.03 and p.max() < 0.75 and far.min() > 0.2:
            return f32(np.log(p) + rng.normal(0.0, 3.0, (rows, 1)))


def sample_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for draws from the softmax policy, by counts."""
    copies = 3000 if visible else 4000
    return [
        _sample_case(
            "a batch", rng, _spread_out(rng, 3, 4), 24, 1, "value",
            "72 rows: 3 different states, 24 times each", seeds=True,
        ),
        _sample_case(
            "many draws", rng, _spread_out(rng, 3, 4), copies, 1, "value",
            f"{3 * copies} rows: 3 different states, {copies} times each",
        ),
        _sample_case(
            "another size", rng, _spread_out(rng, 2, 6), copies, 1, "value",
            f"{2 * copies} rows: 2 different states, {copies} times each",
        ),
        _sample_case(
            "a batch of one", rng, _spread_out(rng, 1, 3), 1, 400, "corners",
            "1 row, drawn 400 times with one generator",
        ),
        _sample_case(
            "logits near 1000", rng, f32(_spread_out(rng, 2, 3) + 1e3), 500, 1, "corners",
            "1000 rows: 2 different states, 500 times each; logits near 1000",
        ),
        _sample_case(
            "certain policies", rng, f32([[-1e3, 1e3, 0.0], [1e3, 0.0, -1e3]]), 20, 1, "corners",
            "40 rows: 2 different states, logits of plus and minus 1000",
        ),
        # One rare action of two: what is mixed with other draws shows at once.
        _sample_case(
            "two actions", rng, f32([[1.5, -1.5]] if visible else [[-1.3, 1.8]]), 4000, 1, "value",
            "4000 rows, all the same state, 2 actions",
        ),
    ]  # fmt: skip


# --- softmax_score -------------------------------------------------------------------------------


def score(theta: Array, state: int, action: int) -> Array:
    """Slope of log pi(action|state) in every entry of theta [S, A]."""
    slope = np.zeros_like(theta)
    p = np.exp(log_softmax(theta[state]))
    for a in range(theta.shape[1]):
        slope[state, a] = (1.0 if a == action else 0.0) - p[a]
    return slope


def _score_case(
    name: str, theta: Array, pairs: list[tuple[int, int]], aspect: str = "value", about: str = ""
) -> dict:
    """One case: the function is called for each (state, action) on one and the same theta."""
    expect: dict[str, dict] = {}
    aspects: dict[str, str] = {}
    for number, (state, action) in enumerate(pairs, start=1):
        fact = f"call {number}: state {state}, action {action}"
        expect[fact] = _float(score(theta, state, action), atol=1e-5)
        if number > 1:
            aspects[fact] = "repeated_calls"
    if len(pairs) > 1:
        expect["earlier results changed later"] = equal(
            0, "results that stay as they were", "Hand out a new tensor at every call.",
            "results_share_memory", "{} of them changed by a later call",
        )  # fmt: skip
        aspects["earlier results changed later"] = "repeated_calls"
    expect["mutated"] = UNCHANGED
    return {
        "name": name,
        "about": about or name,
        "aspect": aspect,
        "aspects": aspects,
        "args": {
            **encode_arguments({"theta": tensor(theta)}),
            "calls (state, action)": [list(pair) for pair in pairs],
        },
        "expect": expect,
    }


def score_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the score of a tabular softmax policy, (13.9) of Sutton and Barto for features."""

    def pair(states: int, actions: int) -> tuple[int, int]:
        return int(rng.integers(0, states)), int(rng.integers(0, actions))

    cases = [
        _score_case("4 states, 3 actions", _logits(rng, 4, 3), [pair(4, 3)]),
        _score_case("3 states, 5 actions", _logits(rng, 3, 5), [pair(3, 5)]),
        _score_case("the first entry", _logits(rng, 3, 4), [(0, 0)]),
        _score_case("the last entry", _logits(rng, 5, 2), [(4, 1)]),
        _score_case("as many states as actions", _logits(rng, 4, 4), [(1, 3)]),
        _score_case(
            "several calls", _logits(rng, 3, 4), [(1, 2), (2, 0), (1, 2), (0, 3)],
            about="four calls in a row with the same theta",
        ),
        _score_case("one state", _logits(rng, 1, 4), [(0, 1)], "corners"),
        _score_case(
            "equal preferences", np.full((3, 4), 2.0), [(2, 1)], "corners",
            "theta is 2 everywhere, so that all actions are equally likely",
        ),
        _score_case(
            "extreme preferences", f32([[1e3, -1e3, 0.0], [0.5, 1e3, 1e3]]), [(0, 1), (1, 0)],
            "corners", "theta with entries of plus and minus 1000",
        ),
        _score_case(
            "preferences near 300", f32(_logits(rng, 2, 3) + 300.0), [(1, 2)], "corners",
            "theta with entries near 300, whose exp is too large for float32",
        ),
    ]  # fmt: skip
    if not visible:
        cases.append(_score_case("a larger table", _logits(rng, 12, 7), [pair(12, 7)]))
    return cases


# --- score_function_gradient ---------------------------------------------------------------------


def estimate(scores: Array, returns: Array, baseline: float, ddof: int) -> tuple[Array, Array]:
    """Mean [D] and its standard error [D] of the samples' contributions, in plain sums."""
    samples, size = scores.shape
    total = np.zeros(size)
    for row, value in zip(scores, returns, strict=True):
        total += row * (value - baseline)
    mean = total / samples
    square = np.zeros(size)
    for row, value in zip(scores, returns, strict=True):
        square += (row * (value - baseline) - mean) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return mean, np.sqrt(square / np.float64(samples - ddof) / samples)


def _gradient_case(
    name: str, scores: Array, returns: Array, baseline: float | None, aspect: str = "value",
    about: str = "", cpu_seconds: float | None = None,
) -> dict:  # fmt: skip
    values = [estimate(scores, returns, baseline or 0.0, ddof) for ddof in (1, 0)]
    mean = values[0][0]
    scale = float(np.abs(scores * (returns - (baseline or 0.0))[:, None]).max())
    room = {"atol": 3e-6 * max(scale, 1.0)}
    expect: dict[str, dict] = {
        "what came back": equal(
            "two things", "a pair: mean, standard_error", "Return both, the mean first.",
            "not_two_things",
        ),
        "mean": _float(mean, **room),
        "standard_error": {"is": "any", "of": [_float(se, **room) for _, se in values]},
        "mutated": UNCHANGED,
    }  # fmt: skip
    _follow(expect)
    args: dict[str, Any] = {"scores": tensor(scores), "returns": tensor(returns)}
    if baseline is not None:
        args["baseline"] = baseline
    case = {
        "name": name,
        "about": about or name,
        "aspect": aspect,
        "aspects": {"standard_error": "standard_error" if aspect != "corners" else "corners"},
        "args": encode_arguments(args),
        "expect": expect,
    }
    if cpu_seconds is not None:
        expect["cpu_seconds"] = {
            "is": "between", "low": 0, "high": cpu_seconds,
            "say": f"at most {cpu_seconds:g} seconds of work",
            "hint": "Is there a loop inside a loop over the samples?", "mistake": "too_slow",
        }  # fmt: skip
        case["aspects"]["cpu_seconds"] = "cost"
    return case


def _samples(rng: np.random.Generator, samples: int, size: int) -> tuple[Array, Array]:
    """Draw scores [M, D] whose mean is not zero, and returns [M] of both signs that go with them.

    Returns depend on the scores: otherwise the product of two means would come near the mean of
    the products.
    """
    scores = rng.normal(0.2, 0.8, (samples, size))
    returns = 0.4 + 1.5 * scores[:, 0] + rng.normal(0.0, 1.0, samples)
    return f32(scores), f32(returns)


def gradient_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the score-function estimate of a gradient and its standard error."""
    high, low = float(np.round(rng.uniform(1.2, 2.5), 2)), -float(np.round(rng.uniform(0.6, 2), 2))
    cases = [
        _gradient_case("a baseline of 0", *_samples(rng, 4, 3), 0.0),
        _gradient_case("no baseline given", *_samples(rng, 7, 2), None, "baseline"),
        _gradient_case("a baseline", *_samples(rng, 4, 3), high, "baseline"),
        _gradient_case("a negative baseline", *_samples(rng, 9, 5), low, "baseline"),
        _gradient_case("as many samples as numbers", *_samples(rng, 5, 5), 0.0),
        _gradient_case("one number", *_samples(rng, 6, 1), 0.5, "corners", "scores [6, 1]"),
        _gradient_case(
            "one sample", *_samples(rng, 1, 3), 0.25, "corners",
            "a single sample, whose standard error is not known: NaN and 0 both pass",
        ),
        _gradient_case(
            "equal returns", _samples(rng, 6, 3)[0], np.full(6, 2.0), 2.0, "corners",
            "every return equals the baseline",
        ),
        _gradient_case("two samples", *_samples(rng, 2, 4), 0.0, "corners"),
    ]  # fmt: skip
    if not visible:
        cases.append(
            _gradient_case("many samples", *_samples(rng, 5000, 6), 0.75, "cost", cpu_seconds=2.0)
        )
    return cases


# --- pg_surrogate_loss ---------------------------------------------------------------------------


def _loss_case(name: str, log_probs: Array, sample_weights: Array, **kw: Any) -> dict:
    size, total = len(log_probs), 0.0
    for log_prob, weight in zip(log_probs, sample_weights, strict=True):
        total += log_prob * weight
    args = {"log_probs": tensor(log_probs), "weights": tensor(sample_weights)}
    gradients = {"log_probs": -sample_weights / size, "weights": None}
    return call_case(name, args, -total / size, gradients, **kw)


def _pairs(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Draw log-probabilities [B] and weights [B] of both signs that go together."""
    log_probs = -rng.uniform(0.1, 3.0, size)
    sign = rng.choice([-1.0, 1.0], size)
    if size > 1:
        sign[:2] = [1.0, -1.0]
    return f32(log_probs), f32(sign * rng.uniform(0.4, 2.5, size) - 0.3 * log_probs)


def loss_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the loss whose gradient is minus the estimated policy gradient."""
    cases = [
        _loss_case(name, *_pairs(rng, size))
        for name, size in (("a batch", 5), ("another size", 11), ("a third one", 7))
    ]
    cases.append(_loss_case("a batch of one", *_pairs(rng, 1), aspect="corners"))
    log_probs, _ = _pairs(rng, 6)
    cases.append(_loss_case("weights of zero", log_probs, np.zeros(6), aspect="corners"))
    far = f32(-rng.uniform(110.0, 150.0, 5))
    cases.append(
        _loss_case(
            "very unlikely actions", far, _pairs(rng, 5)[1], aspect="corners",
            about="log-probabilities near -120, whose exp is 0 in float32",
        )
    )  # fmt: skip
    twos = np.full(6, 2.0)
    cases.append(_loss_case("equal weights", _pairs(rng, 6)[0], twos, about="every weight is 2"))
    log_probs, weights = _pairs(rng, 6)
    cases.append(
        _loss_case(
            "bad actions only", log_probs, -np.abs(weights), about="all weights are negative"
        )
    )
    if not visible:
        cases.append(
            _loss_case("a large batch", *_pairs(rng, 5000), aspect="cost", cpu_seconds=2.0)
        )
    return cases


EXERCISES = {
    "select_log_probs": Exercise(select_cases, USUAL),
    "sample_actions": Exercise(
        sample_cases,
        {"value": 0.45, "log_probs": 0.2, "randomness": 0.2, "corners": 0.1, "purity": 0.05},
    ),
    "softmax_score": Exercise(
        score_cases, {"value": 0.6, "repeated_calls": 0.2, "corners": 0.1, "purity": 0.1}
    ),
    "score_function_gradient": Exercise(
        gradient_cases,
        {
            "value": 0.3,
            "standard_error": 0.3,
            "baseline": 0.2,
            "corners": 0.1,
            "purity": 0.05,
            "cost": 0.05,
        },
    ),
    "pg_surrogate_loss": Exercise(loss_cases, USUAL),
}
"""The exercises of lab 1 in the order of the notebook."""
