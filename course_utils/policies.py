"""Hand in an agent: its policy as a file of numbers, which whoever grades it can read safely.

The file is in the safetensors format (https://huggingface.co/docs/safetensors): a table of contents
in JSON, then bare numbers. Nothing in it can run, as something in a pickle or a notebook can. It
describes itself: the layers from the observation to the logits in its metadata, their weights as
tensors. Nothing but the actor is stored; a critic is needed for training only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from course_utils.environments import make_env
from course_utils.execution import is_grading, todo_message, unwritten_function

KIND, VERSION = "policy of the policy gradient course", 1
# A million is 200 times what the labs use. Every step of a long evaluation has to go through them.
MAX_PARAMETERS, MAX_LAYERS = 1_000_000, 64
MAX_FILE_BYTES, MAX_HEADER_BYTES = 5_000_000, 100_000
MAX_ENV_STEPS = 10**12
OWN_SEEDS = tuple(range(10_000, 10_010))

# Layers without weights: PyTorch's name of the class -> its options, as the file keeps them.
ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "Tanh": (),
    "ReLU": (),
    "LeakyReLU": ("negative_slope",),
    "ELU": ("alpha",),
    "SELU": (),
    "GELU": ("approximate",),
    "SiLU": (),
    "Mish": (),
    "Sigmoid": (),
    "Softplus": ("beta", "threshold"),
}
LAYERS = ("Linear", "LayerNorm", "Scale", *ACTIVATIONS)
HOLDS = (
    "The file can hold one chain of layers from the observation to the logits: Linear, LayerNorm, "
    "BatchNorm, numbers that observations are shifted and scaled by, and "
    f"{', '.join(ACTIVATIONS)}."
)


class PolicyFileError(ValueError):
    """A file that is no policy as `save_policy` writes it; the text says why, in one line."""


class Scale(nn.Module):
    """Element by element: x [..., K] times weight [K] plus bias [K]."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight + self.bias


class SavedPolicy(nn.Module):
    """A policy as a file holds it: observations [..., O] to logits [..., A], both float32.

    Attributes:
        env_id: the environment it was trained for.
        env_steps: environment steps of its training, as its author says; None: not said.
        n_parameters: how many numbers it consists of.
        name: what the leaderboard calls it; it follows from the file alone. Empty if it has not
            been in a file yet.
    """

    def __init__(
        self, layers: Sequence[nn.Module], env_id: str, env_steps: int | None, name: str = ""
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.env_id, self.env_steps, self.name = env_id, env_steps, name
        self.n_parameters = sum(p.numel() for p in self.parameters())
        self.requires_grad_(False)
        self.eval()

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return self.layers(obs)


# --- writing -------------------------------------------------------------------------------------


def save_policy(
    policy: nn.Module,
    path: str | os.PathLike = "lander.safetensors",
    *,
    env_id: str = "LunarLander-v3",
    env_steps: int | None = None,
) -> None:
    """Write a policy to a file that can be handed in, and print one line about it.

    What is written is what the model does, not how its code looks: it is called once, the steps
    from the observations to the logits are recorded, rebuilt from the layers that the file can
    hold, and compared with the model on random observations. Only then is the file written (whole
    or not at all). While nbgrader runs the notebook nothing happens.

    Args:
        policy: obs [B, O] -> logits [B, A], alone or first in a tuple such as (logits, values).
        path: where to write; a file of that name is replaced.
        env_id: the environment it plays.
        env_steps: environment steps that its training took, for the leaderboard.

    Raises:
        TypeError: ``policy`` is no ``nn.Module``, or ``env_steps`` no whole number.
        ValueError: the logits come about in a way that the file cannot hold, the sizes are not
            the environment's, or a weight is not finite.
        OSError: the file cannot be written.
    """
    if is_grading():
        return
    if not isinstance(policy, nn.Module):
        raise TypeError(f"save_policy needs the model, an nn.Module; got {type(policy).__name__}")
    if env_steps is not None:
        if isinstance(env_steps, bool) or not isinstance(env_steps, Integral):
            raise TypeError(f"env_steps is a whole number or None; got {env_steps!r}")
        if not 0 <= env_steps <= MAX_ENV_STEPS:
            raise ValueError(f"env_steps must lie between 0 and {MAX_ENV_STEPS:.0e}; {env_steps!r}")
        env_steps = int(env_steps)
    data = to_bytes(policy, env_id, env_steps)
    target = Path(path)
    _write(target, data)
    saved = read_policy(data)
    print(
        f"Written to {target}: {saved.n_parameters:,} parameters, {len(data) / 1000:.0f} kB. "
        f"On the leaderboard this agent is called {saved.name}."
    )


def to_bytes(policy: nn.Module, env_id: str, env_steps: int | None = None) -> bytes:
    """The file's content for a policy, checked against the policy (see `save_policy`)."""
    from safetensors.torch import save

    n_obs, n_actions = sizes(env_id)
    layers = chain(policy, n_obs, n_actions, env_id)
    specification, tensors = [], {}
    for number, layer in enumerate(layers):
        specification.append(_describe(layer))
        for name, value in layer.state_dict().items():
            tensors[f"{number}.{name}"] = value.contiguous()
    n_parameters = sum(value.numel() for value in tensors.values())
    if n_parameters > MAX_PARAMETERS:
        raise ValueError(
            f"the policy has {n_parameters:,} parameters, more than {MAX_PARAMETERS:,}: "
            "use narrower layers (two of 64 are enough to land)"
        )
    if len(layers) > MAX_LAYERS:
        raise ValueError(f"the policy has {len(layers)} layers, more than {MAX_LAYERS}")
    if not all(value.isfinite().all() for value in tensors.values()):
        raise ValueError(
            "a weight of the policy is NaN or infinite: training has diverged; go back to an "
            "earlier model, or train again with a smaller learning rate"
        )
    metadata = {
        "format": "pt",
        "kind": KIND,
        "version": str(VERSION),
        "env_id": env_id,
        "env_steps": json.dumps(env_steps),
        "parameters": str(n_parameters),
        "layers": json.dumps(specification),
    }
    return save(tensors, metadata)


def sizes(env_id: str) -> tuple[int, int]:
    """(length of an observation, number of actions) of an environment with such spaces."""
    import gymnasium as gym

    env = make_env(env_id)
    try:
        obs, actions = env.observation_space, env.action_space
    finally:
        env.close()
    flat = isinstance(obs, gym.spaces.Box) and len(obs.shape) == 1
    if not flat or not isinstance(actions, gym.spaces.Discrete):
        raise ValueError(f"{env_id} does not have a flat observation and a choice among actions")
    return obs.shape[0], int(actions.n)


def _write(target: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".policy-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _describe(layer: nn.Module) -> dict[str, Any]:
    kind = type(layer).__name__
    if kind == "Linear":
        return {"kind": kind, "bias": layer.bias is not None}
    if kind == "LayerNorm":
        return {"kind": kind, "eps": layer.eps, "affine": layer.elementwise_affine}
    return {"kind": kind, **{name: getattr(layer, name) for name in ACTIVATIONS.get(kind, ())}}


# --- from a model to its chain of layers ---------------------------------------------------------


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


def _linear(size: int, weight: torch.Tensor, bias: torch.Tensor | None = None) -> nn.Module:
    layer = nn.utils.skip_init(nn.Linear, size, len(weight), bias=bias is not None)
    layer.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer


def _layer_norm(size, normalized_shape, weight=None, bias=None, eps=1e-5) -> nn.Module | None:
    if tuple(normalized_shape) != (size,):
        return None
    layer = nn.LayerNorm(size, eps=eps, elementwise_affine=weight is not None or bias is not None)
    if weight is not None:
        layer.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer


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
    "linear": _linear,
    "matmul": lambda size, other: _linear(size, other.mT),
    "mm": lambda size, other: _linear(size, other.mT),
    "layer_norm": _layer_norm,
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


# --- reading -------------------------------------------------------------------------------------


def load_policy(path: str | os.PathLike = "lander.safetensors") -> SavedPolicy:
    """The policy in a file of `save_policy`: observations [B, O] to logits [B, A].

    Nothing in the file is run. PolicyFileError, one line, if it is no such file; OSError if it
    cannot be read.
    """
    target = Path(path)
    with target.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    return read_policy(data, target.name)


def read_policy(data: bytes, name: str = "the file") -> SavedPolicy:
    """The policy that a file's bytes hold. PolicyFileError, one line that begins with `name`."""
    try:
        return _read(data)
    except PolicyFileError as problem:
        raise PolicyFileError(f"{name} {problem}") from None


def _read(data: bytes) -> SavedPolicy:
    metadata, arrays = _parse(data)
    if metadata.get("kind") != KIND:
        raise PolicyFileError("was not written by save_policy: write it with save_policy")
    if metadata.get("version") != str(VERSION):
        raise PolicyFileError(
            f"has version {str(metadata.get('version'))[:20]!r} of the format, not {VERSION}: "
            "write it with this course's save_policy"
        )
    for array_name, array in arrays.items():
        if not np.isfinite(array).all():
            raise PolicyFileError(f"holds NaN or infinite numbers (in {array_name[:40]})")
    try:
        specification = json.loads(metadata["layers"])
        env_id, env_steps = metadata["env_id"], json.loads(metadata["env_steps"])
    except (KeyError, ValueError, RecursionError):
        raise PolicyFileError("does not say what its layers are") from None
    whole = isinstance(env_steps, int) and not isinstance(env_steps, bool)
    if env_steps is not None and not (whole and 0 <= env_steps <= MAX_ENV_STEPS):
        raise PolicyFileError("has a number of environment steps that makes no sense")
    if not env_id.isprintable() or len(env_id) > 60:
        raise PolicyFileError("has an environment's name that makes no sense")
    if not isinstance(specification, list) or not 0 < len(specification) <= MAX_LAYERS:
        raise PolicyFileError(f"does not have between 1 and {MAX_LAYERS} layers")
    layers = [_build(number, layer, arrays) for number, layer in enumerate(specification)]
    if arrays:
        raise PolicyFileError(f"holds tensors that no layer needs ({sorted(arrays)[0][:40]!r})")
    if not any(isinstance(layer, nn.Linear) for layer in layers):
        raise PolicyFileError("has no Linear layer")
    _check_sizes(layers)
    return SavedPolicy(layers, env_id, env_steps, agent_name(data))


def _parse(data: bytes) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Metadata and tensors (float32) of a safetensors file, with small limits before the library's.

    Its own limits are larger: 100 MB of header, and as many tensors as fit.
    """
    from safetensors import SafetensorError, deserialize

    if len(data) > MAX_FILE_BYTES:
        raise PolicyFileError(
            f"is larger than {MAX_FILE_BYTES // 10**6} MB: a policy of {MAX_PARAMETERS:,} "
            "parameters is not"
        )
    if len(data) < 8:
        raise PolicyFileError(f"breaks off ({len(data)} bytes): write it again with save_policy")
    length = int.from_bytes(data[:8], "little")
    if data[8:9] != b"{" or length > MAX_HEADER_BYTES:
        if data[:4] == b"PK\x03\x04" or data[:1] == b"\x80":
            raise PolicyFileError("is a pickle (torch.save), which is not read: use save_policy")
        raise PolicyFileError("is not in the safetensors format: write it with save_policy")
    if length + 8 > len(data):
        raise PolicyFileError("breaks off: write it again with save_policy")
    try:
        tensors = deserialize(data)
        header = json.loads(data[8 : 8 + length])
        metadata = header.get("__metadata__", {})
        texts = {str(key): str(value) for key, value in metadata.items()}
    except (SafetensorError, ValueError, RecursionError, AttributeError) as error:
        said = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise PolicyFileError(f"is damaged ({_plain(said)}): write it with save_policy") from None
    arrays = {}
    total = 0
    for name, tensor in tensors:
        if tensor["dtype"] != "F32" or not 1 <= len(tensor["shape"]) <= 2:
            raise PolicyFileError(
                "holds something else than vectors and matrices of float32: write it with "
                "save_policy"
            )
        total += math.prod(tensor["shape"])
        if total > MAX_PARAMETERS:
            raise PolicyFileError(f"has more than {MAX_PARAMETERS:,} parameters")
        arrays[_plain(name)] = np.frombuffer(tensor["data"], "<f4").reshape(tensor["shape"])
    return texts, arrays


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _build(number: int, layer: Any, arrays: dict[str, np.ndarray]) -> nn.Module:
    """One layer of the file; takes its tensors out of `arrays`."""
    wrong = PolicyFileError(f"has a layer {number} that makes no sense")
    if not isinstance(layer, dict) or layer.get("kind") not in LAYERS:
        raise wrong
    kind, options = layer["kind"], {k: v for k, v in layer.items() if k != "kind"}

    def take(name: str, dimensions: int) -> torch.Tensor:
        array = arrays.pop(f"{number}.{name}", None)
        if array is None or array.ndim != dimensions or 0 in array.shape:
            raise wrong
        return torch.from_numpy(array.astype(np.float32))

    def number_of(name: str) -> float:
        value = options.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise wrong
        if not math.isfinite(value) or abs(value) > 1e6:
            raise wrong
        return value

    if kind in ACTIVATIONS:
        if set(options) != set(ACTIVATIONS[kind]):
            raise wrong
        if kind == "GELU":
            if options["approximate"] not in ("none", "tanh"):
                raise wrong
            return nn.GELU(options["approximate"])
        return getattr(nn, kind)(**{name: number_of(name) for name in options})
    if kind == "Linear":
        weight = take("weight", 2)
        bias = take("bias", 1) if options.get("bias") is True else None
        if bias is not None and len(bias) != len(weight):
            raise wrong
        return _linear(weight.shape[1], weight, bias)
    if kind == "Scale":
        weight, bias = take("weight", 1), take("bias", 1)
        if len(weight) != len(bias):
            raise wrong
        return Scale(weight, bias)
    eps = number_of("eps")
    if eps < 0:
        raise wrong
    if options.get("affine") is not True:
        return _PlainLayerNorm(eps)
    weight, bias = take("weight", 1), take("bias", 1)
    if len(weight) != len(bias):
        raise wrong
    return _layer_norm(len(weight), (len(weight),), weight, bias, eps)


class _PlainLayerNorm(nn.Module):
    """LayerNorm without weights, of whatever size comes."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(x, x.shape[-1:], eps=self.eps)


def _check_sizes(layers: Sequence[nn.Module]) -> None:
    """PolicyFileError unless each layer takes what the one before gives."""
    size: int | None = None
    for number, layer in enumerate(layers):
        shapes = [p.shape for p in layer.parameters()]
        if not shapes:
            continue
        takes, gives = shapes[0][-1], shapes[0][0]
        if size is not None and takes != size:
            raise PolicyFileError(
                f"has a layer {number} that takes {takes} numbers, but the one before gives {size}"
            )
        size = gives


def agent_name(data: bytes) -> str:
    """What the leaderboard calls the agent in a file with these bytes, such as `amber-otter-137`.

    It follows from the file alone: its author knows it, others learn nothing about whose it is.
    """
    number = int.from_bytes(hashlib.sha256(data).digest()[:8], "big")
    number, digits = divmod(number, 1000)
    number, noun = divmod(number, len(NOUNS))
    return f"{COLORS[number % len(COLORS)]}-{NOUNS[noun]}-{digits:03d}"


# fmt: off
COLORS = (
    "amber", "azure", "beige", "black", "blue", "bronze", "brown", "coral", "crimson", "cyan",
    "gold", "gray", "green", "indigo", "ivory", "jade", "lemon", "lilac", "lime", "navy", "ochre",
    "olive", "orange", "peach", "pearl", "pink", "plum", "purple", "red", "ruby", "silver", "teal",
    "violet", "white", "yellow",
)
NOUNS = (
    "albatross", "badger", "bear", "beetle", "crane", "cricket", "deer", "dolphin", "dragonfly",
    "eagle", "falcon", "finch", "fox", "gecko", "gull", "hare", "hedgehog", "heron", "ibis",
    "kestrel", "kite", "lark", "lynx", "marten", "moth", "newt", "osprey", "otter", "owl", "panda",
    "pelican", "plover", "puffin", "raven", "robin", "seal", "sparrow", "stork", "swallow", "swan",
    "swift", "tern", "tortoise", "turtle", "wren",
)
# fmt: on


# --- the check that a student sees ---------------------------------------------------------------


def problem(policy: SavedPolicy, env_id: str) -> str | None:
    """Why a policy cannot play an environment, after the file's name; None if it can."""
    if policy.env_id != env_id:
        return f"holds a policy for {policy.env_id}, not for {env_id}"
    n_obs, n_actions = sizes(env_id)
    linear = [layer for layer in policy.layers if isinstance(layer, nn.Linear)]
    takes = next(p.shape[-1] for layer in policy.layers for p in layer.parameters())
    if (takes, linear[-1].out_features) != (n_obs, n_actions):
        return (
            f"holds a policy that takes {takes} numbers and gives {linear[-1].out_features}; "
            f"{env_id} shows {n_obs} and has {n_actions} actions"
        )
    return None


def check_policy(
    path: str | os.PathLike = "lander.safetensors",
    evaluate: Callable[..., Any] | None = None,
    *,
    env_id: str = "LunarLander-v3",
    seeds: Sequence[int] = OWN_SEEDS,
) -> None:
    """Say whether a file can be handed in, and how its policy does on a few seeds.

    Args:
        path: a file that ``save_policy`` has written.
        evaluate: the lab's ``evaluate(policy, env_id, seeds, deterministic) -> returns``; without
            it only the file is looked at.
        env_id: the environment that the lab asks for.
        seeds: of the episodes played here. The grader plays others.

    Raises:
        CheckFailed: the file is missing, or is none that the grader takes; the text says why. While
            nbgrader grades the text is printed instead.
    """
    from course_utils.checks.visible import CheckFailed

    grading = os.environ.get("NBGRADER_EXECUTION") == "autograde"
    target = Path(path)
    try:
        policy = load_policy(target)
        wrong = problem(policy, env_id)
        if wrong:
            raise PolicyFileError(f"{target.name} {wrong}")
    except FileNotFoundError:
        text = f"{target} is not here yet: train an agent and call save_policy(model)."
        if not grading:
            raise CheckFailed(text) from None
        print(f"{text} (Whoever grades takes it from what you hand in beside the notebook.)")
        return
    except (OSError, PolicyFileError) as error:
        if not grading:
            raise CheckFailed(f"{error}.") from None
        print(f"{error}.")
        _report(target, False)
        return
    print(
        f"{target.name} will be accepted for evaluation: {policy.name}, "
        f"{policy.n_parameters:,} parameters. Hand it in beside the notebook."
    )
    if grading:
        _report(target, True)
        return
    if evaluate is None:
        return
    try:
        returns = np.asarray(evaluate(policy, env_id, list(seeds), True), dtype=float)
    except NotImplementedError as error:
        name = unwritten_function(error)
        if name is None:
            raise
        print(todo_message(name))
        return
    print(
        f"Mean return of {len(returns)} episodes here: {returns.mean():.0f} "
        f"(from {returns.min():.0f} to {returns.max():.0f}). The grader plays others, and more."
    )


def _report(target: Path, passed: bool) -> None:
    """What the check found, for whoever reads the graded notebook (see checks.visible)."""
    from IPython import get_ipython
    from IPython.display import display

    from course_utils.checks.visible import CHECK_MIME

    if get_ipython() is not None:
        display(
            {CHECK_MIME: {"exercise": target.name, "passed": passed, "mistake": None}}, raw=True
        )
