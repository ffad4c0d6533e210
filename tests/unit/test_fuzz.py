"""Random malformed messages and observations: nothing that a kernel sends may raise, or pay.

Seeds are fixed, so a failure repeats. `python tests/unit/test_fuzz.py SECONDS [SEED]` goes on for
as long as one likes.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import math
import os
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest

from autograde import execution
from autograde import judge as judging
from autograde.judge.mistakes import corpus_files, load
from autograde.sandbox.channel import GREETING, Channel, ChannelClosed, Dropped
from autograde.sandbox.outputs import OBSERVATION_MIME, Malformed, Outputs, split_message
from course_utils.checks.codec import array_from_plain
from course_utils.checks.observe import observe

SEED = 5
NASTY = (
    None, True, False, 0, -1, 1, 1 << 63, -(1 << 70), 10**400, 0.0, -0.0, 1e308, -1e-320,
    float("nan"), float("inf"), -float("inf"), "", "nan", "inf", "1e999", "1_0", "9" * 5000, "\0",
    "\ud800", "\x1b[2J", "<script>", "{}", "%s", "ok", "raised", "timeout", "float32", "tensor",
    [], [[]], {}, {"": {}}, [None] * 50, list(range(300)), {"kind": "tensor"}, {"kind": []},
    {"array": "float32", "shape": [2], "data": [1, 2]}, {"array": "bool", "shape": [], "data": [1]},
    {"array": "int64", "shape": [1e300], "data": []}, {"array": "int8", "shape": "1", "data": "x"},
    {"array": [], "shape": {}, "data": {"1": 2}}, {"kind": "float", "value": []},
    {"kind": "sequence", "length": -1, "items": 3}, {"type": {}, "message": [], "line": 7},
)  # fmt: skip


def nasty(rng: random.Random, depth: int = 3):
    """A value that JSON can hold, and no honest kernel sends."""
    if depth == 0 or rng.random() < 0.6:
        return copy.deepcopy(rng.choice(NASTY))
    if rng.random() < 0.5:
        return [nasty(rng, depth - 1) for _ in range(rng.randrange(5))]
    keys = ("name", "status", "facts", "error", "data", "text", "kind", "shape", "array", "value")
    return {rng.choice(keys): nasty(rng, depth - 1) for _ in range(rng.randrange(5))}


def mutated(rng: random.Random, value, times: int):
    """A copy of plain data in which something is replaced, deleted, doubled or exchanged."""
    value = copy.deepcopy(value)
    for _ in range(times):
        node, parents = value, []
        while isinstance(node, (dict, list)) and node and rng.random() < 0.85:
            key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
            parents.append((node, key))
            node = node[key]
        if not parents:
            return nasty(rng)
        parent, key = parents[-1]
        action = rng.randrange(5)
        if action == 0:
            del parent[key]
        elif action == 1 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        elif action == 2 and isinstance(parent, dict):
            parent[rng.choice((str(key) + "x", "kind", "shape"))] = parent.pop(key)
        elif action == 3 and isinstance(node, (int, float)):
            parent[key] = rng.choice((-node, node + 1, 1e30, repr(node)[:99], [node]))
        else:
            parent[key] = nasty(rng)
    return value


# --- the judge -----------------------------------------------------------------------------------


@cache
def observations(exercise: str) -> list[tuple[dict, bool]]:
    """A right and two wrong answers to an exercise, as they cross the wall; is the value wrong?"""
    cases = judging.request(exercise, SEED)["cases"]
    found = []
    paths = [*corpus_files(exercise, "ok")[:1], *corpus_files(exercise, "bad")[::9][:3]]
    for path in paths:
        function = load(exercise, path.read_text(), str(path))
        observation = json.loads(json.dumps(observe(exercise, function, cases)))
        verdict = judging.judge(exercise, SEED, observation, 10.0)
        found.append((observation, verdict.score == 0))
    return found


def fuzz_judge(rng: random.Random, exercise: str) -> None:
    observation, worthless = rng.choice(observations(exercise))
    made = mutated(rng, observation, rng.choice((1, 1, 2, 5, 30)))
    failure = (
        None if rng.random() < 0.9 else rng.choice(("timeout", "", "\x1b[2J" * 999, "no answer"))
    )
    started = time.process_time()
    verdict = judging.judge(exercise, SEED, made, 10.0, failure)
    assert time.process_time() - started < 20, made
    assert type(verdict.score) is float and 0 <= verdict.score <= 10, made
    assert isinstance(verdict.message, str) and verdict.message
    json.dumps(verdict.as_dict(), allow_nan=False).encode()
    if worthless or failure is not None:  # numbers that are wrong do not become right by chance
        assert verdict.score == 0, made


@pytest.mark.parametrize("exercise", judging.exercises("lab5_ppo"))
def test_judge_gives_a_verdict_on_anything(exercise, caplog):
    caplog.set_level(logging.CRITICAL)
    rng = random.Random(SEED)
    for _ in range(40):
        fuzz_judge(rng, f"lab5_ppo/{exercise}")


def fuzz_codec(rng: random.Random) -> None:
    plain = {"array": "float32", "shape": [2, 3], "data": [0.5] * 6}
    for value in (nasty(rng), mutated(rng, plain, rng.randrange(1, 4))):
        try:
            array = array_from_plain(value)
        except ValueError:
            continue
        assert isinstance(array, np.ndarray)


def test_codec_gives_an_array_or_a_value_error():
    rng = random.Random(SEED)
    for _ in range(4000):
        fuzz_codec(rng)


# --- messages ------------------------------------------------------------------------------------

CONTENTS = (
    ("stream", {"name": "stdout", "text": "abc\n"}),
    ("display_data", {"data": {"text/plain": "a", "image/png": "aGk="}, "metadata": {"a": 1},
                      "transient": {"display_id": "x"}}),
    ("update_display_data", {"data": {"text/plain": "b"}, "transient": {"display_id": "x"}}),
    ("execute_result", {"data": {"application/json": [1, {"a": 2}]}, "execution_count": 3}),
    ("error", {"ename": "E", "evalue": "v", "traceback": ["a", "b"]}),
    ("clear_output", {"wait": True}),
    ("status", {"execution_state": "idle"}),
    ("display_data", {"data": {OBSERVATION_MIME: {"nonce": "n", "observation": {"cases": []}}}}),
)  # fmt: skip


def encoded(rng: random.Random, value) -> bytes:
    """JSON of a value, now and then cut off, or with bytes exchanged."""
    raw = bytearray(json.dumps(value).encode())
    if rng.random() < 0.15:
        del raw[rng.randrange(len(raw) + 1) :]
    for _ in range(rng.choice((0, 0, 0, 1, 9))):
        if raw:
            raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw)


def fuzz_outputs(rng: random.Random) -> None:
    outputs = Outputs(rng.choice((0, 10, 2000, 100_000)), rng.choice(("", "", "n")))
    for _ in range(rng.randrange(1, 30)):
        kind, content = rng.choice(CONTENTS)
        outputs.feed(kind, encoded(rng, mutated(rng, content, rng.randrange(4))))
    items = json.loads(json.dumps(outputs.finish(), allow_nan=False))
    assert len(json.dumps(items)) < 12 * outputs.limit + 100_000
    cell = nbformat.v4.new_code_cell("", outputs=items)
    nbformat.validate(nbformat.from_dict(nbformat.v4.new_notebook(cells=[cell])))
    assert outputs.observation is None or isinstance(outputs.observation, dict)


def test_outputs_are_a_notebooks_whatever_was_sent():
    rng = random.Random(SEED)
    for _ in range(300):
        fuzz_outputs(rng)


def message(rng: random.Random, asked: str) -> list[bytes]:
    """One message of a kernel that does not care for the protocol."""
    kind, content = rng.choice((*CONTENTS, ("execute_reply", {"status": "ok"})))
    header = {"msg_type": kind, "msg_id": "m"}
    parent = {"msg_id": asked if rng.random() < 0.9 else "other"}
    parts = [mutated(rng, part, rng.choice((0, 0, 0, 1))) for part in (header, parent, {}, content)]
    raw = [b"<IDS|MSG>", b"signature", *(encoded(rng, part) for part in parts)]
    if rng.random() < 0.1:
        rng.shuffle(raw)
    return raw[: rng.choice((9, 9, 9, 9, 3))]


def frames(rng: random.Random, parts: list[bytes]) -> bytes:
    """The message on the wire, now and then with a lie about its length."""
    data = b""
    for index, part in enumerate(parts):
        flags = 2 | (index < len(parts) - 1)
        length = len(part)
        if rng.random() < 0.002:
            flags, length = rng.randrange(8), rng.choice((0, length + 1, 1 << 33, (1 << 64) - 1))
        size = struct.pack(">Q", length) if flags & 2 else bytes([length & 255])
        data += bytes([flags]) + size + part
    return data


def test_messages_are_split_or_malformed():
    rng = random.Random(SEED)
    for _ in range(2000):
        try:
            kind, asked, content = split_message(message(rng, "a"))
        except Malformed:
            continue
        assert isinstance(kind, str) and isinstance(asked, str) and isinstance(content, bytes)


class HostileKernel:
    """What a `_Session` needs of a kernel; its end of the sockets says anything at all."""

    def __init__(self, seed: int):
        self.folder = Path(tempfile.mkdtemp(prefix="ag"))
        self.connection = {"key": "k", "transport": "ipc", "ip": str(self.folder / "s")}
        self.rng = random.Random(seed)
        self.killed = False
        self.listeners = []
        for name in ("shell", "iopub"):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self.folder / name))
            listener.listen()
            self.listeners.append(listener)
            rng = random.Random(f"{seed} {name}")
            threading.Thread(target=self._talk, args=(listener, name, rng), daemon=True).start()

    def address(self, channel: str) -> str:
        return str(self.folder / channel)

    def usage(self, precise_above=None) -> dict:
        return {"alive": not self.killed, "cpu_s": 0.1, "memory_bytes": 1 << 20, "processes": 2}

    def interrupt(self) -> None:
        pass

    def lay(self, text: str) -> str:
        return "/job/r0"

    def kill(self) -> None:
        self.killed = True
        for listener in self.listeners:
            listener.close()
        for name in ("shell", "iopub"):
            (self.folder / name).unlink(missing_ok=True)
        self.folder.rmdir()

    def _talk(self, listener: socket.socket, name: str, rng: random.Random) -> None:
        try:
            other = listener.accept()[0]
            other.sendall(GREETING + b"\x04\x06\x05READY")
            other.recv(200)
            # Honest until the session is ready: what comes before is not worth attacking.
            hello = [b"<IDS|MSG>", b"s", b'{"msg_type": "status"}', b"{}", b"{}", b"{}"]
            other.sendall(frames(random.Random(1), hello))
            time.sleep(0.02)
            asked = "_".join((self.session_id(), str(rng.randrange(1, 4))))
            for _ in range(rng.randrange(150)):
                other.sendall(frames(rng, message(rng, asked)))
                if rng.random() < 0.02:
                    other.sendall(rng.randbytes(rng.randrange(1, 3000)))
            done = json.dumps({"msg_id": asked}).encode()
            for kind, content in (("status", CONTENTS[6][1]), ("execute_reply", {"status": "ok"})):
                head = json.dumps({"msg_type": kind}).encode()
                parts = [b"<IDS|MSG>", b"s", head, done, b"{}", json.dumps(content).encode()]
                other.sendall(frames(random.Random(1), parts))
            other.recv(1)
            other.close()
        except (OSError, AttributeError):
            pass

    def session_id(self) -> str:
        return self.session._id

    session: execution._Session


def fuzz_session(seed: int) -> None:
    kernel = HostileKernel(seed)
    limits = {**execution.LIMITS, "cell_wall_s": 0.3, "cell_idle_s": 5, "grace_s": 0.1}
    original = execution._Session._wait_until_ready

    def note(session):
        kernel.session = session
        original(session)

    try:
        execution._Session._wait_until_ready = note
        session = execution._Session(kernel, limits)
    except execution._Dead:
        return
    finally:
        execution._Session._wait_until_ready = original
    try:
        for nonce in ("", "n"):
            run = session.run("code", time.monotonic() + 1, nonce, 1000)
            assert run.status in ("ok", "error", "timeout", "died")
            json.dumps([run.outputs.finish(), run.outputs.observation, run.error, run.status])
            assert run.execution_count is None or type(run.execution_count) is int
    finally:
        session.close()


def test_engine_outlives_a_kernel_that_says_anything():
    for seed in range(12):
        fuzz_session(seed)


def fuzz_channel(rng: random.Random) -> None:
    """Bytes of no meaning, and frames of some."""
    ours, theirs = socket.socketpair()
    channel = Channel.__new__(Channel)
    channel.max_message, channel.received = 5000, 0
    channel._buffer, channel._chunk, channel._parts = bytearray(), bytearray(1 << 16), []
    channel._size = channel._skip = 0
    channel._skip_more = channel._dropping = False
    channel.socket = ours
    ours.setblocking(False)
    try:
        for _ in range(rng.randrange(1, 20)):
            data = rng.randbytes(rng.randrange(1, 500))
            if rng.random() < 0.7:
                data = frames(rng, [rng.randbytes(rng.choice((0, 9, 900, 9000))) for _ in range(3)])
            theirs.sendall(data)
            for found in channel.receive():
                assert isinstance(found, (list, Dropped))
            assert len(channel._buffer) < 70_000 and sum(map(len, channel._parts)) <= 5000
    except ChannelClosed:
        pass
    finally:
        ours.close()
        theirs.close()


def test_channel_keeps_its_bounds_whatever_comes():
    rng = random.Random(SEED)
    for _ in range(300):
        fuzz_channel(rng)


def main(seconds: float, seed: int) -> None:
    """Fuzz everything in turn."""
    logging.disable(logging.CRITICAL)
    end, rounds = time.monotonic() + seconds, 0
    exercises = [f"lab5_ppo/{name}" for name in judging.exercises("lab5_ppo")]
    while time.monotonic() < end:
        one = int.from_bytes(hashlib.sha256(f"{seed} {rounds}".encode()).digest()[:6], "big")
        rng = random.Random(one)
        try:
            for exercise in exercises:
                fuzz_judge(rng, exercise)
            for _ in range(20):
                fuzz_codec(rng)
                fuzz_outputs(rng)
                fuzz_channel(rng)
            if rounds % 20 == 0:
                fuzz_session(one)
        except BaseException:
            print(f"round {rounds}, seed {one}", flush=True)
            raise
        rounds += 1
    print(f"{rounds} rounds, nothing found", math.floor(seconds), "s")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else SEED)
