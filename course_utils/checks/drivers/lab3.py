"""Drivers of lab 3: look at a network with two heads, and at a loss that comes with its parts.

Like all drivers they run the student's code and return facts; they know no answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course_utils.checks.codec import decode
from course_utils.checks.observe import describe, driver, input_gradients, snapshot, unchanged

EXAMINED = 256
"""Observations on which a network is examined."""

Answer = tuple[torch.Tensor, torch.Tensor]


# --- a network class -----------------------------------------------------------------------------


@driver("lab3_actor_critic/ActorCritic")
def actor_critic(cls: Callable, case: dict) -> dict:
    """Build a network, ask it about observations, and see what its parameters do.

    Case arguments: ``obs_dim``, ``n_actions``, ``hidden`` (None: the default), ``obs`` (any
    leading dimensions) and ``seed``. With ``examine`` its parameters, gradients and bends are
    looked at too.
    """
    a = {name: decode(value) for name, value in case["args"].items()}
    state = torch.get_rng_state()
    try:
        torch.manual_seed(a["seed"])
        return _look_at_network(cls, a)
    finally:
        torch.set_rng_state(state)


def _look_at_network(cls: Callable, a: dict) -> dict:
    def build(factor: int = 1) -> Any:
        if a["hidden"] is None:
            return cls(a["obs_dim"], a["n_actions"])
        return cls(a["obs_dim"], a["n_actions"], factor * a["hidden"])

    network = build()
    if not isinstance(network, nn.Module):
        return {"made": type(network).__name__}
    found = len(list(network.parameters()))
    obs, before = a["obs"], snapshot(a["obs"])
    answer = network(obs)
    facts: dict[str, Any] = {"made": "module", "forward_gives": _kind(answer)}
    if not _is_pair(answer):
        return facts
    logits, values = answer
    facts |= {
        "shape_of_the_logits": list(logits.shape),
        "shape_of_the_values": list(values.shape),
        "parameters": found,
        "parameters_made_later": len(list(network.parameters())) - found,
        "mutated": [] if unchanged(obs, before) else ["obs"],
    }
    leading = list(obs.shape[:-1])
    if list(logits.shape) != [*leading, a["n_actions"]] or list(values.shape) != leading:
        return facts
    with torch.no_grad():
        facts["repeats"] = _same(network(obs), answer)
    facts["each_by_itself"] = _each_by_itself(network, obs, answer)
    if a.get("examine") and logits.is_floating_point() and values.is_floating_point():
        facts |= _examine(network, build, a)
    return facts


def _is_pair(answer: Any) -> bool:
    return (
        isinstance(answer, (tuple, list))
        and len(answer) == 2
        and all(isinstance(part, torch.Tensor) for part in answer)
    )


def _kind(answer: Any) -> str:
    if _is_pair(answer):
        kinds = [str(part.dtype).removeprefix("torch.") for part in answer]
        both = f"tensors of {kinds[0]}" + (f" and {kinds[1]}" if kinds[0] != kinds[1] else "")
        return f"logits and values, {both}"
    if isinstance(answer, torch.Tensor):
        return f"one tensor of shape {list(answer.shape)}"
    if isinstance(answer, (tuple, list)):
        return f"{len(answer)} things: " + ", ".join(type(part).__name__ for part in answer[:4])
    return "None" if answer is None else type(answer).__name__


def _same(a: Answer, b: Answer) -> bool:
    return all(map(_close, a, b))


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True)


def _each_by_itself(network: nn.Module, obs: torch.Tensor, answer: Answer) -> list[str]:
    """Names of the outputs that change when an observation comes alone, as a batch of one."""
    rows = obs.reshape(-1, obs.shape[-1])
    logits, values = answer[0].reshape(len(rows), -1), answer[1].reshape(-1)
    mixed = set()
    with torch.no_grad():
        for row, wanted_logits, wanted_value in zip(rows[:4], logits[:4], values[:4], strict=True):
            try:
                got_logits, got_value = network(row.unsqueeze(0))
            except Exception:  # batch normalization refuses a batch of one
                return ["logits", "values"]
            if not _close(got_logits.reshape(-1), wanted_logits):
                mixed.add("logits")
            if not _close(got_value.reshape(-1), wanted_value.reshape(1)):
                mixed.add("values")
    return sorted(mixed)


def _examine(network: nn.Module, build: Callable, a: dict) -> dict:
    """Facts that need more than one look: copies, gradients, bends, sizes."""
    rng = torch.Generator().manual_seed(a["seed"])
    obs = torch.randn(EXAMINED, a["obs_dim"], generator=rng)
    network(obs)  # some layers get their size from what they meet first
    facts: dict[str, Any] = {"copy_of_its_parameters": _copied(network, build(), obs)}
    if a["hidden"] is not None:
        wide = build(2)
        wide(obs)
        facts["more_for_a_larger_hidden"] = _count(wide) > _count(network)
    signs = {"+": False, "-": False}
    for _ in range(8):  # whatever the weights happen to be
        _shake(network, rng)
        with torch.no_grad():
            values = network(2.0 * obs)[1]
        signs["+"] |= bool((values > 0).any())
        signs["-"] |= bool((values < 0).any())
    facts["values_of_both_signs"] = all(signs.values())
    facts |= _gradients(network, obs, rng)
    with torch.no_grad():
        facts |= _form(network, obs, rng)
    return facts


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _copied(network: nn.Module, other: nn.Module, obs: torch.Tensor) -> bool:
    """Whether the parameters that can be saved and loaded are all that the answer depends on."""
    with torch.no_grad():
        other(obs)
        try:
            other.load_state_dict(network.state_dict())
        except RuntimeError:
            return False
        return _same(other(obs), network(obs))


def _shake(network: nn.Module, rng: torch.Generator) -> None:
    """Give every parameter random values of a usual size, so that nothing depends on the start."""
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=rng)
            if parameter.dim() > 1:
                parameter.copy_(noise * 1.5 / parameter.numel() ** 0.25)
            else:
                parameter.copy_(0.3 * noise + (parameter > 0.5))  # scales of a norm stay near 1


def _gradients(network: nn.Module, obs: torch.Tensor, rng: torch.Generator) -> dict:
    """Which parameters matter to logits and values, and which of them a gradient reaches."""
    named = list(network.named_parameters())
    reached = {"logits": set(), "values": set()}
    for part, name in enumerate(reached):
        output = network(obs)[part]
        output = (output * torch.randn(output.shape, generator=rng)).sum()
        trainable = [n for n, parameter in named if parameter.requires_grad]
        if not output.requires_grad or not trainable:
            continue
        parameters = [dict(named)[n] for n in trainable]
        gradients = torch.autograd.grad(output, parameters, allow_unused=True)
        reached[name] = {
            n for n, g in zip(trainable, gradients, strict=True)
            if g is not None and g.abs().max() > 1e-9
        }  # fmt: skip
    anywhere = reached["logits"] | reached["values"]
    missing = [
        name if parameter.requires_grad else f"{name} (requires_grad is off)"
        for name, parameter in named
        if name not in anywhere and _matters(network, parameter, obs, rng)
    ]
    follows = _value_follows(network, obs[0], [p for _, p in named if p.requires_grad])
    return {
        "gradient_of_the_values": bool(reached["values"]),
        "gradient_of_the_logits": bool(reached["logits"]),
        "without_gradient": missing[:8],
        "values_follow_from_the_logits": follows,
    }


def _matters(
    network: nn.Module, parameter: nn.Parameter, obs: torch.Tensor, rng: torch.Generator
) -> bool:
    with torch.no_grad():
        before = network(obs)
        kept = parameter.clone()
        parameter.add_(torch.randn(parameter.shape, generator=rng))
        matters = not _same(network(obs), before)
        parameter.copy_(kept)
    return matters


def _value_follows(network: nn.Module, obs: torch.Tensor, parameters: list[nn.Parameter]) -> bool:
    """Whether no change of the weights can move the value and leave the logits as they are.

    To first order: the value's gradient is then a combination of the logits' gradients.
    """
    logits, values = network(obs.unsqueeze(0))
    outputs = [values.reshape(-1)[0], *logits.reshape(-1)]
    rows = []
    for output in outputs:
        if not output.requires_grad or not parameters:
            return False  # another fact says so
        gradients = torch.autograd.grad(output, parameters, retain_graph=True, allow_unused=True)
        parts = [torch.zeros_like(p) if g is None else g
                 for g, p in zip(gradients, parameters, strict=True)]  # fmt: skip
        rows.append(torch.cat([part.reshape(-1) for part in parts]).double())
    value, others = rows[0], torch.stack(rows[1:], dim=1)
    if value.norm() < 1e-9:
        return False
    solved = torch.linalg.lstsq(others, value.unsqueeze(1), driver="gelsd").solution
    left = value - (others @ solved).squeeze(1)
    return bool(left.norm() < 1e-3 * value.norm())


def _form(network: nn.Module, obs: torch.Tensor, rng: torch.Generator) -> dict:
    """Facts about the numbers that come out, whatever the parameters are."""
    logits, values = network(obs)
    one = (logits.sum(dim=-1) - 1).abs().max() < 1e-4
    facts: dict[str, Any] = {
        "values_depend_on_the_observation": bool(values.std() > 1e-4),
        "logits_depend_on_the_observation": bool(logits.std(dim=0).max() > 1e-4),
        "numbers": "probabilities" if one and (logits >= 0).all() else "logits",
        "exact_zeros": round(
            max((logits == 0).float().mean().item(), (values == 0).float().mean().item()), 3
        ),
        "straight": [
            name
            for part, name in enumerate(("logits", "values"))
            if _straight(network, part, obs, rng)
        ],
    }
    sizes = []
    for _ in range(2):
        for parameter in network.parameters():
            parameter.mul_(10.0)
        logits, values = network(obs)
        apart = (logits.amax(dim=-1) - logits.amin(dim=-1)).max().item()
        sizes.append((apart, values.abs().max().item()))
    growth = [
        round(min(big / max(small, 1e-9), 1e12), 3) for small, big in zip(*sizes, strict=True)
    ]
    facts["growth_of_the_logits"], facts["growth_of_the_values"] = growth
    return facts


def _straight(network: nn.Module, part: int, obs: torch.Tensor, rng: torch.Generator) -> bool:
    """Whether an output is a straight line in the observation; of logits, their differences."""
    x, y = 2.0 * obs, 2.0 * torch.randn(obs.shape, generator=rng)

    def at(points: torch.Tensor) -> torch.Tensor:
        output = network(points)[part].double()
        return output - output[..., :1] if part == 0 else output

    second = at(x + y) - at(x) - at(y) + at(torch.zeros_like(x))
    return bool(second.abs().max() <= 1e-3 * at(x).abs().max())


# --- a loss with its parts -----------------------------------------------------------------------


@driver("lab3_actor_critic/a2c_loss")
def loss_with_parts(function: Callable, case: dict) -> dict:
    """Call the function once; describe the loss, its gradients, and each entry of the dict.

    Case arguments: the function's own; those in ``wrt`` come with a graph.
    """
    wrt = case.get("wrt", [])
    arguments = {name: decode(value) for name, value in case["args"].items()}
    for name in wrt:
        arguments[name].requires_grad_(True)
    before = {name: snapshot(value) for name, value in arguments.items()}
    result = function(*arguments.values())
    pair = isinstance(result, (tuple, list)) and len(result) == 2 and isinstance(result[1], dict)
    loss, parts = result if pair else (result, {})
    gradients = input_gradients(loss, {name: arguments[name] for name in wrt})
    return {
        **{str(name)[:40]: describe(value) for name, value in list(parts.items())[:20]},
        "returned": "a loss and a dict" if pair else _what(result),
        "loss": describe(loss),
        **{f"grad:{name}": gradient for name, gradient in gradients.items()},
        "mutated": [
            *(n for n, value in arguments.items() if not unchanged(value, before[n])),
            *(f"{n}.grad" for n in wrt if arguments[n].grad is not None),
        ],
    }


def _what(result: Any) -> str:
    if isinstance(result, torch.Tensor):
        return f"one tensor of shape {list(result.shape)}"
    if isinstance(result, (tuple, list)):
        return f"{len(result)} things: " + ", ".join(type(part).__name__ for part in result[:4])
    return "None" if result is None else f"one thing, of type {type(result).__name__}"
