"""A policy's file: what save_policy can write, what load_policy takes, and what both refuse."""

import itertools
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn
from torch.nn import functional as F

from course_utils import policies, policy_files
from course_utils.checks import CheckFailed
from course_utils.policies import PolicyFileError, check_policy, load_policy, save_policy


def network(*sizes, act=nn.Tanh):
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), act()]
    return nn.Sequential(*layers[:-1])


class ActorCritic(nn.Module):
    """As in lab 3."""

    def __init__(self):
        super().__init__()
        self.actor, self.critic = network(8, 64, 64, 4), network(8, 64, 64, 1)

    def forward(self, obs):
        return self.actor(obs), self.critic(obs).squeeze(-1)


class Shared(nn.Module):
    """One trunk, two heads, operations in `forward`, observations that are scaled."""

    def __init__(self):
        super().__init__()
        self.norm, self.body, self.inner = nn.BatchNorm1d(8), nn.Linear(8, 16), nn.LayerNorm(16)
        self.bare = nn.LayerNorm(16, elementwise_affine=False)
        self.logits, self.value = nn.Linear(16, 4, bias=False), nn.Linear(16, 1)
        self.dropout = nn.Dropout(0.5)
        self.norm.running_mean += torch.randn(8)
        self.norm.running_var += torch.rand(8)

    def forward(self, obs):
        x = self.norm((obs - torch.arange(8.0)) / 2.5)
        x = F.relu(self.inner(self.body(x)), inplace=True)
        x = F.leaky_relu(F.elu(x, 0.3), 0.2)
        x = self.dropout(F.silu(F.gelu(self.bare(x), approximate="tanh")).tanh())
        x = 2.0 * F.softplus(x, 2.0).flatten(1)
        x -= 1
        return self.logits(x), self.value(x)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, obs):
        return self.last(obs + self.first(obs))


class Noisy(nn.Module):
    """Draws a number that no file could hold."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, obs):
        return self.layer(obs * torch.rand(8))


@pytest.mark.parametrize(
    "model",
    [
        ActorCritic(),
        Shared(),
        network(8, 32, 4, act=nn.ReLU),
        nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(8, 5), nn.Identity()), nn.Linear(5, 4)),
        network(8, 16, 4, act=nn.SiLU).double(),
        nn.utils.parametrizations.weight_norm(nn.Linear(8, 4)),
    ],
    ids=["actor_critic", "shared", "plain", "nested", "float64", "weight_norm"],
)
def test_what_is_loaded_gives_the_logits_of_what_was_saved(model, tmp_path, capsys):
    model.train()
    state = torch.get_rng_state()
    save_policy(model, tmp_path / "a.safetensors", env_steps=153_600)
    assert torch.equal(torch.get_rng_state(), state) and model.training
    said = capsys.readouterr().out
    policy = load_policy(tmp_path / "a.safetensors")
    assert f"{policy.n_parameters:,} parameters" in said and policy.name in said
    assert (policy.env_id, policy.env_steps) == ("LunarLander-v3", 153_600)
    model.eval()
    obs = 2 * torch.randn(50, 8)
    theirs = model(obs.to(next(model.parameters()).dtype))
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    assert torch.allclose(policy(obs), theirs.float(), rtol=1e-3, atol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_file_describes_itself_and_holds_the_actor_only(tmp_path):
    save_policy(ActorCritic(), tmp_path / "a.safetensors")
    data = (tmp_path / "a.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    about = header.pop("__metadata__")
    kinds = [layer["kind"] for layer in json.loads(about["layers"])]
    assert kinds == ["Linear", "Tanh", "Linear", "Tanh", "Linear"]
    assert about["parameters"] == str(8 * 64 + 64 + 64 * 64 + 64 + 64 * 4 + 4)
    assert about["version"] == "1" and about["env_id"] == "LunarLander-v3"
    assert sorted(header) == [f"{n}.{k}" for n in (0, 2, 4) for k in ("bias", "weight")]
    assert len(data) < 25_000


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Residual(), "`add` of two results"),
        (Noisy(), "other logits"),
        (nn.Sequential(nn.Linear(8, 4), nn.Softmax(-1)), "`softmax`"),
        (nn.Linear(4, 4), "fails on observations"),
        (nn.Linear(8, 2), "has 4 actions"),
        (network(8, 1200, 1200, 4), "more than 1,000,000"),
        (nn.LSTM(8, 4), "The file can hold one chain of layers"),
    ],
    ids=["residual", "noisy", "softmax", "inputs", "actions", "huge", "lstm"],
)
def test_what_the_file_cannot_hold_is_said_and_not_written(model, words, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"the one before")
    with pytest.raises(ValueError, match=words):
        save_policy(model, path)
    assert path.read_bytes() == b"the one before" and len(list(tmp_path.iterdir())) == 1


def test_weights_that_are_no_numbers_are_not_written(tmp_path):
    model = network(8, 8, 4)
    model[0].weight.data[0, 0] = torch.nan
    with pytest.raises(ValueError, match="training has diverged"):
        save_policy(model, tmp_path / "a.safetensors")


@pytest.mark.parametrize("steps", [-1, 1.5, True, "many", 10**13])
def test_steps_are_a_whole_number(steps, tmp_path):
    with pytest.raises((TypeError, ValueError), match="env_steps"):
        save_policy(network(8, 4), tmp_path / "a.safetensors", env_steps=steps)


def test_something_else_than_a_model_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"nn\.Module"):
        save_policy(lambda obs: obs, tmp_path / "a.safetensors")


def test_nothing_is_written_while_grading(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    save_policy(network(8, 4), tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir()) and capsys.readouterr().out == ""


# --- hostile files -------------------------------------------------------------------------------


def parts(data):
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def whole(header, body):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def changed(data, **metadata):
    header, body = parts(data)
    header["__metadata__"].update(metadata)
    return whole(header, body)


@pytest.fixture(scope="module")
def good():
    return policies.to_bytes(network(8, 16, 4), "LunarLander-v3", 1000)


def numbers(value):
    return {"0.weight": torch.full((4, 8), value), "0.bias": torch.zeros(4)}


ABOUT = {
    "kind": policy_files.KIND, "version": "1", "env_id": "LunarLander-v3", "env_steps": "null",
    "layers": '[{"kind": "Linear", "bias": true}]',
}  # fmt: skip
LINEAR = {"kind": "Linear", "bias": True}


def test_the_smallest_file_that_is_taken():
    policy = policy_files.read_policy(save(numbers(0.5), ABOUT))
    assert policy(torch.ones(2, 8)).tolist() == [[4.0] * 4] * 2


class Evil:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


def tensor_entry(**entry):
    header = {"__metadata__": ABOUT, "0.weight": {"dtype": "F32", **entry}}
    return whole(header, bytes(128))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "breaks off"),
        (bytes(7), "breaks off"),
        (os.urandom(64)[:8] + b"x" * 100, "not in the safetensors format"),
        (pickle.dumps(Evil()), "pickle"),
        (b"{" * 200_000, "not in the safetensors format"),
        (struct.pack("<Q", 100 << 20) + b"{" + b" " * 1000, "not in the safetensors format"),
        (struct.pack("<Q", 2**63) + b"{}", "not in the safetensors format"),
        (struct.pack("<Q", 5000) + b"{}", "breaks off"),
        (struct.pack("<Q", 90_000) + b'{"a":' * 18_000, "damaged"),
        (struct.pack("<Q", 4) + b"{\xff\xfe}", "damaged"),
        (whole([1, 2], b""), "not in the safetensors format"),
        (whole({"__metadata__": {"kind": 3}}, b""), "damaged"),
        (bytes(policy_files.MAX_FILE_BYTES + 1), "larger than 5 MB"),
        (tensor_entry(shape=[2**62, 2**62], data_offsets=[0, 128]), "damaged"),
        (tensor_entry(shape=[4, 8], data_offsets=[0, 2**63]), "damaged"),
        (tensor_entry(shape=[-4, -8], data_offsets=[0, 128]), "damaged"),
        (tensor_entry(shape=[4, 8], data_offsets=[128, 0]), "damaged"),
        (save({"w": torch.zeros(3)}), "not written by save_policy"),
        (save(numbers(torch.nan), ABOUT), "NaN"),
        (save(numbers(torch.inf), ABOUT), "infinite"),
        (save({k: v.double() for k, v in numbers(1.0).items()}, ABOUT), "float32"),
        (save({"0.weight": torch.zeros(1100, 1000)}, ABOUT), "more than 1,000,000"),
        (save({**numbers(1.0), "more": torch.zeros(2)}, ABOUT), "no layer needs"),
        (save({"0.weight": torch.zeros(4, 8)}, ABOUT), "layer 0 that makes no sense"),
        (save({"0.weight": torch.zeros(4, 0), "0.bias": torch.zeros(4)}, ABOUT), "layer 0"),
        (save(numbers(1.0), {**ABOUT, "version": "99"}), "version '99'"),
        (save(numbers(1.0), {**ABOUT, "env_steps": "-5"}), "steps"),
        (save(numbers(1.0), {**ABOUT, "env_steps": "true"}), "steps"),
        (save(numbers(1.0), {**ABOUT, "env_id": "\x1b[31mLander"}), "name"),
        (save(numbers(1.0), {**ABOUT, "layers": "["}), "does not say"),
        (save(numbers(1.0), {**ABOUT, "layers": "[" * 50_000}), "does not say"),
        (save(numbers(1.0), {**ABOUT, "layers": '[{"kind": "Tanh"}]'}), "no layer needs"),
        (save(numbers(1.0), {**ABOUT, "layers": json.dumps([LINEAR] * 2)}), "layer 1"),
        (save(numbers(1.0), {**ABOUT, "layers": json.dumps([LINEAR] + 99 * ["x"])}), "64 layers"),
        (save(numbers(1.0), {**ABOUT, "layers": '[{"kind": "Module"}]'}), "layer 0"),
        (save({}, {**ABOUT, "layers": '[{"kind": "Tanh"}]'}), "no Linear"),
        (
            save(numbers(1.0), {**ABOUT, "layers": json.dumps([LINEAR, {"kind": "ELU"}])}),
            "layer 1",
        ),
        (
            save(
                numbers(1.0),
                {**ABOUT, "layers": '[{"kind":"Linear","bias":true},{"kind":"ELU","alpha":1e999}]'},
            ),
            "layer 1",
        ),
        (
            save(
                {**numbers(1.0), "1.weight": torch.zeros(2, 5), "1.bias": torch.zeros(2)},
                {**ABOUT, "layers": json.dumps([LINEAR] * 2)},
            ),
            "takes 5 numbers, but the one before gives 4",
        ),
    ],
)
def test_a_file_that_is_none_has_one_line_that_says_why(data, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.safetensors"
    path.write_bytes(data)
    with pytest.raises(PolicyFileError, match=words) as caught:
        load_policy(path)
    text = str(caught.value)
    assert text.startswith("mine.safetensors ") and text.isprintable() and len(text) < 300
    assert not (tmp_path / "pwned").exists()


def test_torch_save_is_recognized(tmp_path):
    path = tmp_path / "mine.safetensors"
    torch.save(network(8, 4), path)
    assert zipfile.is_zipfile(path)
    with pytest.raises(PolicyFileError, match=r"torch\.save"):
        load_policy(path)


def test_a_file_cut_off_or_changed_anywhere_is_refused_or_still_a_policy(good):
    for length in range(0, len(good), 17):
        with pytest.raises(PolicyFileError):
            policy_files.read_policy(good[:length])
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        data = bytearray(good)
        for place in rng.integers(0, len(data) if rng.random() < 0.3 else 700, 3):
            data[place] = rng.integers(256)
        try:
            policy = policy_files.read_policy(bytes(data))
        except PolicyFileError:
            refused += 1
        else:
            assert policy(torch.zeros(1, 8)).shape == (1, 4)
    assert refused > 100


# --- what a student sees -------------------------------------------------------------------------


def test_the_check_says_that_the_file_can_be_handed_in(tmp_path, capsys):
    path = tmp_path / "lander.safetensors"
    save_policy(network(8, 4), path)
    seen = []

    def evaluate(policy, env_id, seeds, deterministic):
        seen.append((policy(torch.zeros(2, 8)).shape, env_id, len(seeds), deterministic))
        return torch.tensor([100.0, 200.0])

    check_policy(path, evaluate)
    said = capsys.readouterr().out
    assert "will be accepted for evaluation" in said
    assert "Mean return of 2 episodes here: 150 (from 100 to 200)" in said
    assert seen == [((2, 4), "LunarLander-v3", 10, True)]


def test_the_check_says_what_is_missing(tmp_path, monkeypatch, capsys):
    path = tmp_path / "lander.safetensors"
    with pytest.raises(CheckFailed, match="not here yet"):
        check_policy(path)
    path.write_bytes(b"x")
    with pytest.raises(CheckFailed, match="breaks off"):
        check_policy(path)
    path.write_bytes(policies.to_bytes(network(4, 2), "CartPole-v1"))
    with pytest.raises(CheckFailed, match="CartPole-v1, not for LunarLander-v3"):
        check_policy(path)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    check_policy(path)
    path.unlink()
    check_policy(path)
    assert "not here yet" in capsys.readouterr().out


def test_an_evaluate_that_is_not_written_is_named(tmp_path, capsys):
    path = tmp_path / "lander.safetensors"
    save_policy(network(8, 4), path)

    def evaluate(policy, env_id, seeds, deterministic):
        raise NotImplementedError()

    check_policy(path, evaluate)
    assert "evaluate is not written yet" in capsys.readouterr().out


def test_names_follow_from_the_bytes(good):
    assert policy_files.agent_name(good) == policy_files.agent_name(good)
    names = {policy_files.agent_name(bytes([i])) for i in range(200)}
    assert len(names) > 195
