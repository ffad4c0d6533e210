"""Drivers of lab 2: look at a network class, and at an optimizer step, from all sides.

Like all drivers they run the student's code and return facts; they know no answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course_utils.checks.codec import array_to_plain, decode
from course_utils.checks.observe import describe, driver, snapshot, unchanged

EXAMINED = 256
"""Observations on which a network is examined."""

FAR_APART = 4.0
"""A policy that is sure of an action has logits this far apart (odds of 50 to 1)."""


# --- a network class -----------------------------------------------------------------------------


@driver("lab2_reinforce/PolicyNetwork")
def policy_network(cls: Callable, case: dict) -> dict:
    """Build a network twice, ask it about observations, and see what its parameters do.

    Case arguments: ``obs_dim``, ``n_actions``, ``hidden`` (None: the default), ``obs`` (any
    leading dimensions) and ``seed``. With ``examine`` its parameters, its start and its bends are
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
        return {"what_is_built": type(network).__name__}
    found = len(list(network.parameters()))
    obs, before = a["obs"], snapshot(a["obs"])
    logits = network(obs)
    facts: dict[str, Any] = {"what_is_built": "module", "what_forward_returns": _kind(logits)}
    if not isinstance(logits, torch.Tensor):
        return facts
    wanted = [*obs.shape[:-1], a["n_actions"]]
    facts |= {
        "shape": list(logits.shape),
        "parameters": found,
        "parameters_made_later": len(list(network.parameters())) - found,
        "mutated": [] if unchanged(obs, before) else ["obs"],
    }
    if list(logits.shape) != wanted or not logits.is_floating_point():
        return facts
    with torch.no_grad():
        facts["the_second_answer"] = _same(network(obs), logits)
    facts["observations_one_by_one"] = _each_by_itself(network, obs, logits)
    if a.get("examine"):
        facts |= _examine(network, build, a)
    return facts


def _kind(logits: Any) -> str:
    if isinstance(logits, torch.Tensor):
        return f"tensor of {str(logits.dtype).removeprefix('torch.')}"
    return type(logits).__name__


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True)


def _each_by_itself(network: nn.Module, obs: torch.Tensor, logits: torch.Tensor) -> bool:
    """Whether each observation gets the same logits when it comes alone, as a batch of one."""
    rows, answers = obs.reshape(-1, obs.shape[-1]), logits.reshape(-1, logits.shape[-1])
    with torch.no_grad():
        for row, answer in zip(rows[:4], answers[:4], strict=True):
            try:
                if not _same(network(row.unsqueeze(0)).reshape(-1), answer):
                    return False
            except Exception:  # batch normalization refuses a batch of one
                return False
    return True


def _examine(network: nn.Module, build: Callable, a: dict) -> dict:
    """Facts that need more than one look: copies, the start, bends, gradients, sizes."""
    rng = torch.Generator().manual_seed(a["seed"])
    obs = torch.randn(EXAMINED, a["obs_dim"], generator=rng)
    first, *more = networks = [network, *(build() for _ in range(3))]
    with torch.no_grad():
        starts = [n(obs).softmax(dim=-1).amax(dim=-1).mean().item() for n in networks]
    facts: dict[str, Any] = {
        "the_likeliest_action_at_the_start": round(sum(starts) / len(starts), 4),
        "a_copy_of_its_parameters": _copied(first, more[0], obs),
        "the_first_gradient_steps": _weights_move(more[1], obs, rng),
    }
    if a["hidden"] is not None:
        wide = build(2)
        wide(obs)  # some layers get their size from what they meet first
        facts["parameters_for_a_larger_hidden"] = _count(wide) > _count(first)
    _shake(first, rng)
    facts["parameters_without_gradient"] = ", ".join(_without_gradient(first, obs, rng))
    with torch.no_grad():
        facts |= _form(first, obs, rng)
    return facts


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _copied(network: nn.Module, other: nn.Module, obs: torch.Tensor) -> bool:
    """Whether the parameters that can be saved and loaded are all that the answer depends on."""
    with torch.no_grad():
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
                parameter.add_(0.3 * noise)


def _answer_weights(logits: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    return torch.randn(logits.shape, generator=rng)


def _without_gradient(network: nn.Module, obs: torch.Tensor, rng: torch.Generator) -> list[str]:
    """Names of the parameters that the logits depend on and that no gradient reaches."""
    with torch.no_grad():
        logits = network(obs)
    weights = _answer_weights(logits, rng)
    named = list(network.named_parameters())
    output = (network(obs) * weights).sum()
    reached = [None] * len(named)
    trainable = [i for i, (_, parameter) in enumerate(named) if parameter.requires_grad]
    if output.requires_grad and trainable:
        gradients = torch.autograd.grad(output, [named[i][1] for i in trainable], allow_unused=True)
        for i, gradient in zip(trainable, gradients, strict=True):
            reached[i] = gradient
    missing = []
    for (name, parameter), gradient in zip(named, reached, strict=True):
        if gradient is not None and gradient.abs().max() > 1e-9:
            continue
        if _matters(network, parameter, obs, logits, rng):
            missing.append(name if parameter.requires_grad else f"{name} (requires_grad is off)")
    return missing[:8]


def _matters(
    network: nn.Module, parameter: nn.Parameter, obs: torch.Tensor, logits: torch.Tensor,
    rng: torch.Generator,
) -> bool:  # fmt: skip
    with torch.no_grad():
        kept = parameter.clone()
        parameter.add_(torch.randn(parameter.shape, generator=rng))
        matters = not _same(network(obs), logits)
        parameter.copy_(kept)
    return matters


def _weights_move(network: nn.Module, obs: torch.Tensor, rng: torch.Generator) -> bool:
    """Whether gradient descent moves any weight matrix in its first three steps."""
    matrices = [p for p in network.parameters() if p.requires_grad and p.dim() > 1]
    before = [matrix.detach().clone() for matrix in matrices]
    weights = _answer_weights(network(obs).detach(), rng)
    for _ in range(3):
        output = (network(obs) * weights).mean()
        if not output.requires_grad or not matrices:
            break
        gradients = torch.autograd.grad(output, matrices, allow_unused=True)
        with torch.no_grad():
            for matrix, gradient in zip(matrices, gradients, strict=True):
                if gradient is not None:
                    matrix -= gradient
    return not all(map(torch.equal, matrices, before))


def _form(network: nn.Module, obs: torch.Tensor, rng: torch.Generator) -> dict:
    """Facts about the numbers that come out, whatever the parameters are."""
    logits = network(obs)
    one = (logits.sum(dim=-1) - 1).abs().max() < 1e-4
    facts: dict[str, Any] = {
        "kind_of_numbers": "probabilities" if one and (logits >= 0).all() else "logits",
        "logits_of_exactly_0": bool((logits == 0).float().mean() > 0.1),
        "curvature": _bends(network, obs, rng),
    }
    for parameter in network.parameters():
        parameter.mul_(10.0)
    logits = network(obs)
    facts["distance_between_logits"] = bool(
        (logits.amax(dim=-1) - logits.amin(dim=-1)).max() > FAR_APART
    )
    return facts


def _bends(network: nn.Module, obs: torch.Tensor, rng: torch.Generator) -> bool:
    """Whether differences between logits are anything but a straight line in the observation."""
    x, y = 2.0 * obs, 2.0 * torch.randn(obs.shape, generator=rng)

    def apart(points: torch.Tensor) -> torch.Tensor:
        logits = network(points).double()
        return logits - logits[..., :1]

    second = apart(x + y) - apart(x) - apart(y) + apart(torch.zeros_like(x))
    return bool(second.abs().max() > 1e-3 * apart(x).abs().max())


# --- one gradient step ---------------------------------------------------------------------------


class ProbePolicy(nn.Module):
    """A linear policy: logits [..., A] = obs [..., O] @ weight + bias."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())  # [O, A]
        self.bias = nn.Parameter(bias.clone())  # [A]

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Map observations [..., O] to logits [..., A]."""
        return obs @ self.weight + self.bias


@driver("lab2_reinforce/reinforce_step")
def gradient_step(function: Callable, case: dict) -> dict:
    """Call the function ``calls`` times on one policy; record what it returned and moved.

    Case arguments: ``weight`` [O, A], ``bias`` [A], ``learning_rate``, ``calls`` and ``batches``, a
    list of dicts obs [B, O], actions [B], returns [B]. The optimizer is plain gradient descent, so
    what a parameter moved by, divided by the learning rate, is the gradient that was applied.
    """
    a = {name: decode(value) for name, value in case["args"].items()}
    policy, rate = ProbePolicy(a["weight"], a["bias"]), a["learning_rate"]
    optimizer = torch.optim.SGD(policy.parameters(), lr=rate)
    steps: list[int] = []
    moved: list[bool] = []

    def stepped(*_: Any) -> None:
        steps.append(1)
        moved.append(not (torch.equal(weight, policy.weight) and torch.equal(bias, policy.bias)))

    optimizer.register_step_post_hook(stepped)
    facts: dict[str, Any] = {}
    mutated: list[str] = []
    for number, batch in enumerate(a["batches"], start=1):
        before = {name: snapshot(tensor) for name, tensor in batch.items()}
        weight, bias = policy.weight.detach().clone(), policy.bias.detach().clone()
        steps.clear()
        moved.clear()
        result = function(policy, optimizer, *batch.values())
        facts |= {
            f"call {number}, returned": "dict" if isinstance(result, dict) else _what(result),
            f"call {number}, optimizer steps": len(steps),
            f"call {number}, the step moved the policy": any(moved),
            f"call {number}, weight moved": array_to_plain((weight - policy.weight) / rate),
            f"call {number}, bias moved": array_to_plain((bias - policy.bias) / rate),
        }
        if isinstance(result, dict):
            for name, value in list(result.items())[:20]:
                facts[f"call {number}, {str(name)[:40]}"] = describe(value)
        mutated += [name for name in batch if not unchanged(batch[name], before[name])]
    return {**facts, "mutated": sorted(set(mutated))}


def _what(result: Any) -> str:
    return "None" if result is None else type(result).__name__
