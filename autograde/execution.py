"""Stage 3: runs one untrusted notebook in a sandboxed kernel and reports what could be seen.

`execute` takes and gives bytes of JSON, so it can run in any `concurrent.futures` executor; each
process keeps one warm kernel server between calls. Nothing that the notebook does makes it raise:
an exit, a flood, an endless loop or a forged message ends in a well-formed result.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import hmac
import json
import multiprocessing
import os
import secrets
import selectors
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from autograde.sandbox.channel import Channel, ChannelClosed, Dropped
from autograde.sandbox.launcher import Kernel, KernelServer, SandboxError, SandboxUnavailable
from autograde.sandbox.outputs import (
    DELIMITER,
    MAX_PARSED,
    OBSERVATION_MIME,
    Malformed,
    Outputs,
    clip,
    count,
    error_output,
    parse_json,
    split_message,
)
from autograde.sandbox.probe import Protections, choose, probe

__all__ = [
    "LIMITS",
    "OBSERVATION_MIME",
    "Engine",
    "SandboxError",
    "SandboxUnavailable",
    "close",
    "end_with_parent",
    "execute",
    "warm_up",
]

# Seconds of CPU time count, because seconds on the clock depend on how busy the machine is; those
# only stop what sleeps.
LIMITS: dict[str, float] = {
    "cell_cpu_s": 60,
    "cell_idle_s": 30,  # neither computing nor waiting for its turn: asleep, however busy the rest
    "cell_wall_s": 240,
    "clock_stops": 4,  # cells stopped by the clock before the rest of the notebook is left out
    "total_wall_s": 900,
    "memory_bytes": 4 << 30,
    "output_bytes": 1_000_000,  # kept of one cell
    "total_output_bytes": 16_000_000,
    "flood_bytes": 256 << 20,  # sent by one cell before it is stopped
    "flood_messages": 200_000,
    "total_flood_bytes": 4 << 30,
    "total_flood_messages": 3_000_000,
    "processes": 128,
    "file_bytes": 100 << 20,
    "restarts": 24,
    "grace_s": 5,  # between the interrupt and the end
}
# Of the process that plays a handed-in policy: the slowest that is taken needs a minute.
PLAYER_LIMITS = {"cell_cpu_s": 120, "cell_wall_s": 480, "memory_bytes": 2 << 30, "processes": 32}
KILLED = (-9, 256 - 9)  # of pid 1 of its namespace, and as that passes the kernel's on
HIDDEN_TESTS = "### BEGIN HIDDEN TESTS"
POLL_S = 0.1
START_S = 60
MEASURED = "measured_cpu_s"


class _Dead(Exception):
    """The kernel is gone."""


@dataclass
class _Run:
    """What became of one piece of code."""

    status: str  # ok, error, timeout, died
    outputs: Outputs
    execution_count: int | None = None
    error: str = ""  # "ename: evalue" of an error
    reason: str = ""  # why it was stopped, in words for a student
    kernel_dead: bool = False
    started: bool = False  # the kernel was alive when the code was sent
    by_clock: bool = False  # it was stopped, and not for its computing or printing
    killed: bool = False  # the kernel was, by a signal that cannot be caught and that is not ours
    received: int = 0  # bytes
    messages: int = 0
    cpu_s: float = 0.0
    seconds: float = 0.0


class _Session:
    """A kernel and the two sockets that matter."""

    def __init__(self, kernel: Kernel, limits: dict[str, Any]) -> None:
        self.kernel = kernel
        self.limits = limits
        self.channels: list[Channel] = []
        self.cpu_s = 0.0
        self.idle_s = 2.0  # between a cell's reply and the word that all its output has been sent
        self.processes, self.most_memory = 0, float("inf")
        self._key = kernel.connection["key"].encode()
        self._id = secrets.token_hex(8)
        self._count = 0
        self._selector = selectors.DefaultSelector()
        try:
            for name, kind in (("iopub", "SUB"), ("shell", "DEALER")):
                channel = Channel(kernel.address(name), kind, timeout=START_S)
                self.channels.append(channel)
                self._selector.register(channel, selectors.EVENT_READ)
            self.iopub, self.shell = self.channels
            self._wait_until_ready()
            # A single process meets its own limit first and gets a MemoryError; this is for many.
            own = self._usage()
            self.processes = own.get("processes", 0)
            self.most_memory = own.get("memory_bytes", 0) + 1.1 * limits["memory_bytes"]
        except (ChannelClosed, SandboxError) as error:
            self.close()
            raise _Dead(str(error)) from error

    def close(self) -> None:
        """Kill the kernel. Never raises."""
        with contextlib.suppress(SandboxError):
            self._usage()
        self._selector.close()
        for channel in self.channels:
            channel.close()
        self.kernel.kill()

    def _usage(self) -> dict[str, Any]:
        usage = self.kernel.usage(self.most_memory if self.most_memory < 1 << 62 else None)
        self.cpu_s = max(self.cpu_s, usage.get("cpu_s", 0.0))
        return usage

    def _send(self, kind: str, content: dict[str, Any]) -> str:
        self._count += 1
        identity = f"{self._id}_{self._count}"
        header = {
            "msg_id": identity,
            "session": self._id,
            "username": "autograde",
            "date": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime()),
            "msg_type": kind,
            "version": "5.3",
        }
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        signature = hmac.new(self._key, b"".join(parts), hashlib.sha256).hexdigest().encode()
        self.shell.send([DELIMITER, signature, *parts])
        return identity

    def _receive(self, timeout: float) -> Iterable[tuple[Channel, list[bytes] | Dropped]]:
        # iopub comes first: what a cell printed is seen before its reply
        ready = {key.fileobj for key, _ in self._selector.select(max(timeout, 0))}
        for channel in self.channels:
            if channel in ready:
                for message in channel.receive():
                    yield channel, message

    def _wait_until_ready(self) -> None:
        """Until the subscription has reached the kernel: what it says before that is lost."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            self._send("kernel_info_request", {})
            until = time.monotonic() + 0.2
            while (left := until - time.monotonic()) > 0:
                if any(channel is self.iopub for channel, _ in self._receive(left)):
                    return
        raise ChannelClosed("the kernel does not answer")

    def observation_code(self, request: str, nonce: str) -> str:
        """The cell that answers `request`, which goes by file: IPython is slow on long cells."""
        try:
            path = self.kernel.lay(request)
        except OSError:  # the folder is gone: so is the kernel, as running the cell will show
            path = ""
        # No name of Python's own is used: a notebook may have given it to something else.
        return (
            "from course_utils.checks.remote import answer_file as _answer; "
            f"_answer({path!r}, {nonce!r})"
        )

    def run(self, code: str, deadline: float, nonce: str = "", output_bytes: int = 0) -> _Run:
        """Run `code` to its end, to a limit, or to the kernel's end.

        With a `nonce` it is to give an observation that carries it, and no other output counts.
        """
        started = time.monotonic()
        result = _Run("died", Outputs(output_bytes, nonce))
        try:
            self._run(code, started, deadline, result)
        except (ChannelClosed, SandboxError):
            result.status, result.kernel_dead = "died", True
            result.killed = not result.reason and self._exit_code() in KILLED
        result.seconds = time.monotonic() - started
        return result

    def _exit_code(self) -> int | None:
        """How the kernel ended, if it has; its sockets may be gone a moment earlier."""
        try:
            for _ in range(20):
                usage = self._usage()
                if not usage["alive"]:
                    return usage.get("exit")
                time.sleep(0.01)
        except SandboxError:  # the server is gone, which no notebook can reach
            return KILLED[0]
        return None

    def _run(self, code: str, started: float, deadline: float, result: _Run) -> None:
        limits, outputs = self.limits, result.outputs
        received = sum(channel.received for channel in self.channels)
        base = self._usage()
        if not base["alive"]:
            raise ChannelClosed("dead before the cell")
        result.started = True
        cpu_before = base.get("cpu_s", 0.0)
        identity = self._send(
            "execute_request",
            {
                "code": code,
                "silent": False,
                "store_history": not outputs.nonce,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": False,
            },
        )
        wall_end = min(started + limits["cell_wall_s"], deadline)
        reply: dict[str, Any] | None = None
        idle, stop_at, idle_by = False, None, None
        poll_at = started + POLL_S
        busy_s, asleep_by = _busy(base), started + limits["cell_idle_s"]
        while True:
            now = time.monotonic()
            if reply is not None and (idle or now > idle_by):
                if not idle:  # it has cut its own tongue out: no use in waiting so long again
                    self.idle_s = 0.1
                break
            for channel, message in self._receive((idle_by or poll_at) - now):
                result.messages += 1
                if isinstance(message, Dropped):
                    outputs.dropped()
                    continue
                # Behind the cut only what ends the cell is worth a look.
                large = len(message) > 5 and len(message[-1]) > 1 << 16
                if large and outputs.truncated and channel is self.iopub:
                    continue
                try:
                    kind, asked, content = split_message(message)
                    if asked != identity:
                        continue
                    if channel is self.iopub and kind == "status":
                        idle = idle or parse_json(content).get("execution_state") == "idle"
                    elif channel is self.iopub:
                        outputs.feed(kind, content)
                    elif kind == "execute_reply" and reply is None:
                        # it repeats the error that was shown: one without end is no reply less
                        answer = {} if len(content) > MAX_PARSED else parse_json(content)
                        reply = answer if isinstance(answer, dict) else {}
                        idle_by = time.monotonic() + self.idle_s
                except (Malformed, AttributeError):
                    continue
            now = time.monotonic()
            if now < poll_at or reply is not None:
                continue
            poll_at = now + POLL_S
            usage = self._usage()
            if not usage["alive"]:
                raise ChannelClosed("died")
            if usage.get("memory_bytes", 0) > self.most_memory:
                size = limits["memory_bytes"] / (1 << 30)
                result.reason = f"it needed more than {size:.3g} GB of memory"
                raise ChannelClosed("memory")
            if stop_at is not None:
                if now > stop_at:
                    result.status, result.kernel_dead = "timeout", True
                    return
                continue
            result.received = sum(channel.received for channel in self.channels) - received
            if abs(_busy(usage) - busy_s) > 0.005 * limits["cell_idle_s"]:  # a child's go with it
                busy_s, asleep_by = _busy(usage), now + limits["cell_idle_s"]
            if usage.get("cpu_s", 0.0) - cpu_before > limits["cell_cpu_s"]:
                result.reason = f"stopped after {limits['cell_cpu_s']:g} s of computing"
            elif now > min(wall_end, asleep_by):
                result.by_clock = True
                result.reason = f"stopped after {now - started:.0f} s"
            elif (
                result.received > limits["flood_bytes"]
                or result.messages > limits["flood_messages"]
            ):
                result.reason = "stopped, because it printed without end"
            if result.reason:
                stop_at = now + limits["grace_s"]
                self.kernel.interrupt()
        result.received = sum(channel.received for channel in self.channels) - received
        if outputs.nonce:
            result.cpu_s = self._usage().get("cpu_s", cpu_before) - cpu_before
        result.execution_count = count(reply)
        if result.reason:
            result.status = "timeout"
            # What it has started goes on and would use up the time of the cells to come.
            result.kernel_dead = self._usage().get("processes", 0) > self.processes
        elif reply.get("status") == "ok":
            result.status = "ok"
        else:
            result.status = "error"
            name, value = (str(reply.get(key, ""))[:1000] for key in ("ename", "evalue"))
            result.error = clip(f"{name}: {value}", 500)


def _busy(usage: dict[str, Any]) -> float:
    """Seconds that a kernel has computed or waited for a processor."""
    return usage.get("cpu_s", 0.0) + usage.get("delayed_s", 0.0)


def visible_part(source: str) -> str:
    """A test cell's source before its hidden tests."""
    lines = source.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.strip() == HIDDEN_TESTS:
            return "".join(lines[:index])
    return source


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


@dataclass
class _Job:
    """The state of one notebook's run."""

    limits: dict[str, Any]
    seed: int
    deadline: float
    session: _Session | None = None
    replay: list[str] = field(default_factory=list)  # sources that later cells may need
    deaths: int = 0
    timeouts: int = 0
    clock_stops: int = 0
    killed: int = 0
    starts: int = 0
    cpu_s: float = 0.0
    output_room: int = 0
    received: int = 0
    messages: int = 0


class Engine:
    """Runs notebooks on one warm server, which it starts when first needed; threads may share it.

    sandbox: "auto" (the strongest wall that works here; SandboxUnavailable if none does), "bwrap",
    "unshare" or "none".
    """

    def __init__(self, sandbox: str = "auto", warm: bool = True) -> None:
        self.warm = warm  # a cold server starts at once, and each of its kernels a second later
        self.wall = choose(sandbox)
        self._server: KernelServer | None = None
        self._lock = threading.Lock()

    @property
    def protections(self) -> Protections:
        """What the wall keeps out, as found by trying."""
        return probe(self.wall)

    def server(self) -> KernelServer:
        """The live server. Raises SandboxError when none can be started."""
        with self._lock:
            if self._server is not None and not self._server.alive():
                self._server.close()
                self._server = None
            if self._server is None:
                self._server = KernelServer(self.wall, self.warm)
            return self._server

    def close(self) -> None:
        """End the server. The engine can be used again after that."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Stage 3 for one notebook; job and result as for `execute`, as dicts."""
        started = time.monotonic()
        limits = {**LIMITS, **(job.get("limits") or {})}
        limits.setdefault("total_cpu_s", 5 * limits["cell_cpu_s"] + 60)
        self.server()
        started_run = time.monotonic()  # the server's own start is nobody's time
        state = _Job(limits, int(job.get("seed", 0)), started_run + limits["total_wall_s"])
        state.output_room = int(limits["total_output_bytes"])
        requests = job.get("requests") or {}
        cells: dict[str, Any] = {}
        observations: dict[str, Any] = {}
        files = job.get("files") or {}
        try:
            for index, cell in enumerate(job["notebook"]["cells"]):
                if cell.get("cell_type") == "code":
                    name = str(cell.get("id") or f"cell-{index}")
                    cells[name] = self._cell(state, cell, requests, observations, files)
                    if job.get("stop_at_timeout") and (state.timeouts or state.killed):
                        break
        finally:
            self._end(state)
        for name, file in files.items():
            if job.get("stop_at_timeout") and (state.timeouts or state.killed):
                break  # all is run again; a last try plays each file, whatever the notebook did
            observations[name] = self._play(state, file, requests[name], job["player"])
        return {
            "cells": cells,
            "observations": observations,
            "sandbox": {**self.protections.to_json(), "text": str(self.protections)},
            "kernel_deaths": state.deaths,
            "kernels_killed": state.killed,
            "timeouts": state.timeouts or int(time.monotonic() > state.deadline),
            "seconds": round(time.monotonic() - started, 3),
            "cpu_seconds": round(state.cpu_s, 2),
        }

    def _cell(
        self,
        state: _Job,
        cell: dict[str, Any],
        requests: dict[str, Any],
        observations: dict[str, Any],
        files: dict[str, Any],
    ) -> dict[str, Any]:
        metadata = cell.get("metadata") or {}
        marks = metadata.get("nbgrader") or {}
        test = marks.get("grade_id") if marks.get("grade") else None
        request = requests.get(test) if test is not None and test not in files else None
        source = _source(cell)
        if "skip-execution" in (metadata.get("tags") or []):
            if request is not None:
                observations[test] = {"failure": "no answer"}
            return _result("skipped")
        if test is not None:
            source = visible_part(source)
        run = None
        if source.strip():
            run = self._code(state, source)
            if run is None:
                if request is not None:
                    late = time.monotonic() > state.deadline
                    observations[test] = {"failure": "timeout" if late else "kernel died"}
                return _result("skipped")
            if test is None and run.status in ("ok", "error"):
                state.replay.append(source)
        if request is not None:
            if run is not None and run.status in ("died", "timeout"):
                observations[test] = {"failure": _failure(run)}
            else:
                observations[test] = self._observe(state, request)
        if run is None:
            return _result("ok")
        if run.status == "died":
            why = run.reason or "the kernel ended while this cell ran"
            run.outputs.items.append(error_output("KernelDied", why))
        elif run.status == "timeout":
            run.outputs.items.append(error_output("Timeout", run.reason))
        return _result(run.status, run.outputs.finish(), run.execution_count, round(run.seconds, 3))

    def _play(self, state: _Job, file: dict[str, str], request: str, player: str) -> dict[str, Any]:
        """Let a handed-in file answer a request, in a kernel that runs nothing but `player`.

        The notebook's kernel has ended before, so nothing of the student's runs beside it.
        """
        if "problem" in file:
            return {"failure": file["problem"]}
        limits = {**state.limits, **PLAYER_LIMITS}
        for _ in range(3):
            try:
                session = _Session(self.server().spawn(limits, 0), limits)
            except _Dead:
                continue
            nonce = secrets.token_hex(16)
            try:
                program, *paths = map(session.kernel.lay, (player, request, file["data"]))
                asked = ", ".join(map(repr, (*paths, nonce)))
                code = f"import runpy; runpy.run_path({program!r})['answer']({asked})"
                run = session.run(code, time.monotonic() + limits["cell_wall_s"], nonce)
            finally:
                session.close()
                state.cpu_s += session.cpu_s
            state.timeouts += run.status == "timeout"
            state.killed += run.killed
            state.deaths += run.kernel_dead
            found = run.outputs.observation
            return {"failure": _failure(run)} if found is None else {"observation": found}
        raise SandboxError("no kernel came up to play a policy in")

    def _observe(self, state: _Job, request: dict[str, Any] | str) -> dict[str, Any]:
        nonce = secrets.token_hex(16)
        text = request if isinstance(request, str) else json.dumps(request)
        run = self._code(state, (text, nonce))
        if run is None:
            return {"failure": "timeout" if time.monotonic() > state.deadline else "kernel died"}
        observation = run.outputs.observation
        if observation is not None:
            state.timeouts += _has_timeout(observation)
            # Whatever stood there: this is the only figure in it that is not the kernel's own.
            return {"observation": {**observation, MEASURED: round(run.cpu_s, 2)}}
        if run.outputs.too_large:
            return {"failure": "answer too large"}
        return {"failure": _failure(run)}

    def _code(self, state: _Job, source: str | tuple[str, str]) -> _Run | None:
        """Run `source` in a kernel that has seen all earlier cells; None when that cannot be.

        `source` is a cell's text, or the (request, nonce) of an observation.
        """
        nonce = source[1] if isinstance(source, tuple) else ""
        while self._ready(state):
            assert state.session is not None
            code = state.session.observation_code(*source) if nonce else source
            room = min(int(state.limits["output_bytes"]), state.output_room)
            run = state.session.run(code, state.deadline, nonce, room)
            self._count(state, run)
            if run.started:
                state.output_room = max(0, state.output_room - run.outputs.size)
                return run
            # something that an earlier cell had left behind ended the kernel in between
        return None

    def _count(self, state: _Job, run: _Run) -> None:
        state.timeouts += run.status == "timeout"
        state.clock_stops += run.by_clock
        state.killed += run.killed
        state.received += run.received
        state.messages += run.messages
        cpu_s = state.cpu_s + (state.session.cpu_s if state.session is not None else 0.0)
        if run.kernel_dead:
            state.deaths += 1
            self._end(state)
        limits = state.limits
        if (
            cpu_s > limits["total_cpu_s"]
            or state.clock_stops > limits["clock_stops"]
            or state.received > limits["total_flood_bytes"]
            or state.messages > limits["total_flood_messages"]
        ):
            state.deadline = min(state.deadline, time.monotonic())

    def _ready(self, state: _Job) -> bool:
        """See to it that there is a kernel, with the earlier cells run in it."""
        while state.session is None:
            if state.starts > state.limits["restarts"] or time.monotonic() > state.deadline:
                return False
            state.starts += 1
            try:
                kernel = self.server().spawn(state.limits, state.seed)
                state.session = _Session(kernel, state.limits)
            except _Dead:
                continue
            except SandboxError:
                if self._server is not None and self._server.alive() and state.starts == 1:
                    raise
                continue
            for index, source in enumerate(state.replay):
                run = state.session.run(source, state.deadline)
                self._count(state, run)
                if run.status in ("died", "timeout"):
                    del state.replay[index]
                    self._end(state)
                    break
        return time.monotonic() < state.deadline

    def _end(self, state: _Job) -> None:
        if state.session is not None:
            state.session.close()
            state.cpu_s += state.session.cpu_s
            state.session = None


def _has_timeout(observation: dict[str, Any]) -> bool:
    """Whether the driver in the kernel stopped a call that took too long."""
    cases = observation.get("cases")
    return isinstance(cases, list) and any(
        isinstance(case, dict) and case.get("status") == "timeout" for case in cases
    )


def _failure(run: _Run) -> str:
    if run.status == "timeout":
        return "timeout"
    if run.status == "died":
        return "kernel died"
    return f"error: {run.error}" if run.status == "error" else "no answer"


def _result(
    status: str,
    outputs: list[dict[str, Any]] | None = None,
    execution_count: int | None = None,
    seconds: float = 0.0,
) -> dict[str, Any]:
    return {
        "status": status,
        "outputs": outputs or [],
        "execution_count": execution_count,
        "seconds": seconds,
    }


_engines: dict[tuple[int, str], Engine] = {}  # by process: a fork's copies are not its own
_engines_lock = threading.Lock()


def execute(job: bytes) -> bytes:
    """Run one submission's notebook and give what was seen of it.

    Parameters
    ----------
    job: JSON object with "notebook" (nbformat dict), "requests" ({grade_id: observation request,
        an object or, so that it is not encoded for each submission anew, its JSON text}),
        "files" ({grade_id: {"data": base64} or {"problem": text}}: what is asked by the request of
        that name is not the notebook's kernel, but a fresh one in which the code "player" plays the
        file, see sandbox.agent_player), "limits" (see LIMITS; all optional), "sandbox" ("auto",
        "bwrap", "unshare", "none"), "seed",
        "stop_at_timeout" (leave out all after the first timeout: for a run that is made again)

    Returns
    -------
    JSON object with "cells" ({cell id: {status, outputs, execution_count, seconds}}),
    "observations" ({grade_id: {"observation"} or {"failure"}}), "sandbox", "kernel_deaths",
    "kernels_killed" (by a kill signal: their own, or the machine's for lack of memory), "timeouts"
    (cells and calls that took too long), "seconds", "cpu_seconds". An observation also has
    "measured_cpu_s": CPU seconds it took, counted on this side of the wall.

    Raises
    ------
    SandboxUnavailable when the asked wall does not work here, SandboxError when the sandbox itself
    fails. Never for what the notebook does.
    """
    asked = json.loads(job)
    return json.dumps(_engine(asked.get("sandbox", "auto")).run(asked)).encode()


def warm_up(sandbox: str = "auto") -> None:
    """Start this process's kernel server before the first job comes; what fails then fails there.

    sandbox: as the jobs will ask for it.
    """
    with contextlib.suppress(SandboxError):
        _engine(sandbox).server()


def _engine(sandbox: str) -> Engine:
    """This process's engine for a wall. Its threads (those of a Dask worker) share one."""
    key = (os.getpid(), sandbox)
    with _engines_lock:
        if key not in _engines:
            _engines[key] = Engine(sandbox)
        return _engines[key]


def close() -> None:
    """End this process's kernel servers; the next `execute` starts anew."""
    for key in [key for key in _engines if key[0] == os.getpid()]:
        _engines.pop(key).close()


atexit.register(close)


def end_with_parent() -> None:
    """In a worker process: end with the process that started it, even if that one was killed.

    A worker of a pool otherwise waits for work for ever, and its kernels compute on.
    """
    parent = multiprocessing.parent_process()

    def watch() -> None:
        parent.join()
        with contextlib.suppress(Exception):
            close()
        os._exit(1)

    if parent is not None:
        threading.Thread(target=watch, daemon=True, name="end-with-parent").start()
