"""From a model to the chain of layers that leads from the observations to its logits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from course_utils.policy_files import ACTIVATIONS, Scale, layer_norm, linear

HOLDS = (
    "The file can hold one chain of layers from the observation to the logits: Linear, LayerNorm, "
    "BatchNorm, numbers that observations are shifted and scaled by, and "
    f"{', '.join(ACTIVATIONS)}."
)


def chain(policy: nn.Module, n_obs: int, n_actions: int, env_id: str) -> list[nn.Module]:
    """The layers from the observations [B, n_obs] to the policy's logits [B, n_actions].

    Every tensor operation of one call is followed, whether it stands in a layer or in `forward`
    itself, through shared trunks and past other heads. ValueError if the file cannot hold it.
    """
    like = next((p for p in policy.parameters() if p.is_floating_point()), torch.zeros(1))
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(64, n_obs, generator=generator) * s for s in (1.0, 3.0))
    follow = _Follow()
    with _as_in_evaluation(policy), torch.no_grad():
        obs = first.to(like)
        follow.start(obs)
        try:
            with follow:
                output = policy(obs)
        except RuntimeError as error:
            raise ValueError(
                f"the policy fails on observations [64, {n_obs}] of {env_id}: "
                f"{str(error).splitlines()[0]}"
            ) from None
        logits = _logits(output, len(obs), n_actions, env_id)
        found = follow.chains.get(id(logits), "something that no tensor operation gives")
        if isinstance(found, str):
            raise ValueError(
                f"the policy cannot be stored: its logits depend on {found}. {HOLDS} "
                "Give save_policy a model of that kind (the actor of it, say)."
            )
        rebuilt = nn.Sequential(*found)
        for batch in (first, second):
            theirs = _logits(policy(batch.to(like)), len(batch), n_actions, env_id).float().cpu()
            ours = rebuilt(batch)
            if theirs.isfinite().all() and not torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4):
                apart = (ours - theirs).abs().max()
                raise ValueError(
                    "the policy cannot be stored: rebuilt from its layers it gives other logits "
                    f"(up to {apart:.2g} apart). Does it draw numbers, or decide by the "
                    f"observation which way to go? {HOLDS}"
                )
    return found


@contextlib.contextmanager
def _as_in_evaluation(policy: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, and then every part of it as it was."""
    modes = [(module, module.training) for module in policy.modules()]
    policy.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _logits(output: Any, batch: int, n_actions: int, env_id: str) -> torch.Tensor:
    first = output[0] if isinstance(output, (tuple, list)) and output else output
    if not isinstance(first, torch.Tensor):
        raise ValueError(
            "the policy must return logits [B, A], or (logits, values); "
            f"it returned {type(first).__name__}"
        )
    if first.shape != (batch, n_actions):
        raise ValueError(
            f"the policy returned logits {list(first.shape)} for {batch} observations; "
            f"{env_id} has {n_actions} actions, so [{batch}, {n_actions}] were due"
        )
    return first


class _Follow(TorchFunctionMode):
    """Keeps, for every tensor that comes from the observations, the layers that lead to it.

    chains: by id of the tensor; a text in place of the layers says what cannot be stored.
    """

    def __init__(self) -> None:
        super().__init__()
        self.chains: dict[int, list[nn.Module] | str] = {}
        self._alive: list[torch.Tensor] = []  # so that no id is given twice

    def start(self, obs: torch.Tensor) -> None:
        self._keep(obs, [])

    def _keep(self, tensor: torch.Tensor, found: list[nn.Module] | str) -> None:
        self._alive.append(tensor)
        self.chains[id(tensor)] = found

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        before = [
            (value, self.chains[id(value)])
            for value in _tensors((args, kwargs))
            if id(value) in self.chains
        ]
        shape = before[0][0].shape if before else None
        result = function(*args, **kwargs)
        if before:
            name = getattr(function, "__name__", str(function)).strip("_")
            found = self._next(name, before, shape, args, kwargs, result)
            for tensor in _tensors(result):
                self._keep(tensor, found)
        return result

    def _next(self, name, before, shape, args, kwargs, result) -> list[nn.Module] | str:
        texts = [found for _, found in before if isinstance(found, str)]
        if texts:
            return texts[0]
        said = f"`{name}`, which is none of the file's layers"
        if len(before) > 1:
            return f"`{name}` of two results that both depend on the observation"
        value, layers = before[0]
        if not (args and args[0] is value and isinstance(result, torch.Tensor)):
            if name not in ("add", "mul", "radd", "rmul"):
                return said
            args = (value, *(a for a in args if a is not value))
        if name in SAME:
            return layers if result.shape == shape else said
        make = MAKERS.get(name)
        if make is None or result.dim() != 2:
            return said
        try:
            made = make(shape[-1], *args[1:], **kwargs)
        except (TypeError, ValueError, RuntimeError):
            made = None
        return said if made is None else [*layers, made.float().cpu().eval()]


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _scale(size: int, weight: Any, bias: Any) -> nn.Module:
    spread = [
        torch.as_tensor(x, dtype=torch.float64).detach().cpu().expand(size).clone()
        for x in (weight, bias)
    ]
    return Scale(*spread)


def _batch_norm(
    size, mean, variance, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
) -> nn.Module | None:
    if training or mean is None or variance is None:
        return None
    factor = (1.0 if weight is None else weight.double()) / (variance.double() + eps).sqrt()
    return _scale(size, factor, (0.0 if bias is None else bias.double()) - mean.double() * factor)


def _plus(size: int, other: Any, *, alpha: float = 1) -> nn.Module:
    return _scale(size, 1.0, _times(other, alpha))


def _minus(size: int, other: Any, *, alpha: float = 1) -> nn.Module:
    return _scale(size, 1.0, _times(other, -alpha))


def _times(value: Any, factor: float) -> Any:
    return (value.double() if isinstance(value, torch.Tensor) else float(value)) * factor


def _divided(size: int, other: Any, *, rounding_mode: str | None = None) -> nn.Module | None:
    return None if rounding_mode else _scale(size, 1.0 / _times(other, 1.0), 0.0)


def _activation(kind: str) -> Callable[..., nn.Module]:
    options = ACTIVATIONS[kind]

    def make(size: int, *args: Any, inplace: bool = False, **kwargs: Any) -> nn.Module:
        given = {**dict(zip(options, args, strict=False)), **kwargs}
        return getattr(nn, kind)(**given)

    return make


# Operations by PyTorch's name, of a method or of a function, that leave [B, K] as it is, ...
SAME = {
    *("flatten", "view", "reshape", "squeeze", "contiguous", "clone", "detach", "to", "float"),
    *("double", "cpu", "dropout", "alpha_dropout", "feature_dropout", "as_tensor", "requires_grad"),
}
# ... and that are a layer of the file.
MAKERS: dict[str, Callable[..., nn.Module | None]] = {
    "linear": linear,
    "matmul": lambda size, other: linear(size, other.mT),
    "mm": lambda size, other: linear(size, other.mT),
    "layer_norm": layer_norm,
    "batch_norm": _batch_norm,
    "add": _plus,
    "radd": _plus,
    "sub": _minus,
    "mul": lambda size, other: _scale(size, other, 0.0),
    "rmul": lambda size, other: _scale(size, other, 0.0),
    "div": _divided,
    "true_divide": _divided,
    **{
        name: _activation(kind)
        for name, kind in (
            ("tanh", "Tanh"),
            ("relu", "ReLU"),
            ("leaky_relu", "LeakyReLU"),
            ("elu", "ELU"),
            ("selu", "SELU"),
            ("gelu", "GELU"),
            ("silu", "SiLU"),
            ("mish", "Mish"),
            ("sigmoid", "Sigmoid"),
            ("softplus", "Softplus"),
        )
    },
}
