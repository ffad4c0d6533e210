"""The file that holds a policy: how its bytes are made, and how they are read without trust.

It is in the safetensors format (https://huggingface.co/docs/safetensors): a table of contents in
JSON, then bare numbers. Nothing in it can run, as something in a pickle or a notebook can. It
describes itself: the layers from the observation to the logits in its metadata, their weights as
tensors. Nothing but the actor is stored; a critic is needed for training only.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from course_utils.environments import make_env

KIND, VERSION = "policy of the policy gradient course", 1
# A million is 200 times what the labs use. Every step of a long evaluation has to go through them.
MAX_PARAMETERS, MAX_LAYERS = 1_000_000, 64
MAX_FILE_BYTES, MAX_HEADER_BYTES = 5_000_000, 100_000
MAX_ENV_STEPS = 10**12

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


def to_bytes(layers: Sequence[nn.Module], env_id: str, env_steps: int | None = None) -> bytes:
    """The file's content for a chain of layers. ValueError if it is too large or not finite."""
    from safetensors.torch import save

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


def _describe(layer: nn.Module) -> dict[str, Any]:
    kind = type(layer).__name__
    if kind == "Linear":
        return {"kind": kind, "bias": layer.bias is not None}
    if kind == "LayerNorm":
        return {"kind": kind, "eps": layer.eps, "affine": layer.elementwise_affine}
    return {"kind": kind, **{name: getattr(layer, name) for name in ACTIVATIONS.get(kind, ())}}


# --- reading -------------------------------------------------------------------------------------


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
        return linear(weight.shape[1], weight, bias)
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
    return layer_norm(len(weight), (len(weight),), weight, bias, eps)


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


def linear(size: int, weight: torch.Tensor, bias: torch.Tensor | None = None) -> nn.Module:
    layer = nn.utils.skip_init(nn.Linear, size, len(weight), bias=bias is not None)
    layer.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer


def layer_norm(size, normalized_shape, weight=None, bias=None, eps=1e-5) -> nn.Module | None:
    if tuple(normalized_shape) != (size,):
        return None
    layer = nn.LayerNorm(size, eps=eps, elementwise_affine=weight is not None or bias is not None)
    if weight is not None:
        layer.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer


# --- whose is it, and can it play ----------------------------------------------------------------


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
