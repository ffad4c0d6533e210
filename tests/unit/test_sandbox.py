"""The parts of the sandbox: walls that are really tried, a channel that keeps bounds, outputs."""

import asyncio
import json
import os
import re
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from autograde import execution
from autograde.sandbox import (
    confinement,
    kernel_server,
    launcher,
    metering,
    self_check,
    system_calls,
)
from autograde.sandbox import probe as probing
from autograde.sandbox.channel import GREETING, Channel, ChannelClosed, Dropped
from autograde.sandbox.launcher import REPOSITORY, SandboxError, SandboxUnavailable
from autograde.sandbox.outputs import (
    MAX_TRACEBACK,
    OBSERVATION_MIME,
    Malformed,
    Outputs,
    clip,
    parse_json,
    split_message,
)

LINUX = sys.platform.startswith("linux")
LIMITS = {**execution.LIMITS, "total_cpu_s": 100, "grace_s": 0.3, "cell_cpu_s": 10}


def available(wall):
    found = probing.probe(wall)
    return pytest.param(
        wall, marks=pytest.mark.skipif(not found.works, reason=f"{wall}: {found.why_not}")
    )


WALLS = [available("bwrap"), available("unshare")]
BEST = next((wall for wall in ("bwrap", "unshare") if probing.probe(wall).works), "none")


# --- walls ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wall", WALLS)
def test_wall_seen_from_inside(wall):
    server = launcher.KernelServer(wall, warm=False)
    try:
        seen = server.check()
    finally:
        server.close()
    found = probing.judged(wall, seen, probing.namespaces())
    assert "NOT" not in str(found) and found.works, seen
    assert seen["capabilities"] == 0 and seen["no_new_privs"] and not seen["user_namespaces"]
    assert seen["writable"] == [] and seen["scratch"]
    assert seen["processes"] == 2 and seen["jobs"] == []
    assert set(seen["interfaces"]) <= {"lo"}
    assert seen["uid"] == confinement.STUDENT
    assert all(seen["held"].values())
    outside = probing.namespaces()
    assert [name for name in seen["namespaces"] if seen["namespaces"][name] == outside[name]] == []
    assert not server.folder.exists()


@pytest.mark.parametrize(
    ("flag", "change"),
    [
        ("network", {"interfaces": ["lo", "eth0"]}),
        ("filesystem", {"writable": ["/usr"]}),
        ("filesystem", {"jobs": ["k1"]}),
        ("filesystem", {"scratch": False}),
        ("pids", {"processes": 100}),
        ("user", {"capabilities": 1 << 21}),
        ("user", {"no_new_privs": False}),
        ("user", {"uid": 0}),
        ("user", {"user_namespaces": True}),
        ("environment", {"environment": ["HOME", "TOKEN"]}),
        ("environment", {"descriptors": ["/srv/gradebook.db"]}),
        ("system_calls", {"seccomp": False}),
        *((flag, {"held": {name: False}}) for flag, name in (
            ("memory", "memory"), ("cpu", "cpu"), ("processes", "processes"),
            ("file_size", "file_size"), ("scratch_size", "scratch_size"), ("core_dumps", "core"),
        )),
        *((flag, {"namespaces": {name: "ours"}}) for flag, name in (
            ("network", "net"), ("filesystem", "mnt"), ("pids", "pid"), ("ipc", "ipc"),
        )),
    ],
)  # fmt: skip
def test_probe_says_what_is_missing(flag, change):
    names = ("memory", "cpu", "processes", "file_size", "scratch_size", "core")
    seen = {
        "uid": 1000, "processes": 2, "interfaces": [], "capabilities": 0, "no_new_privs": True,
        "namespaces": dict.fromkeys(self_check.NAMESPACES, "its own"),
        "user_namespaces": False, "writable": [], "scratch": True, "jobs": [],
        "environment": ["HOME"], "descriptors": [], "seccomp": True,
        "held": dict.fromkeys(names, True),
    }  # fmt: skip
    outside = dict.fromkeys(self_check.NAMESPACES, "ours")
    assert "NOT" not in str(probing.judged("bwrap", seen, outside))
    for name, value in change.items():
        seen[name] = {**seen[name], **value} if isinstance(value, dict) else value
    found = probing.judged("bwrap", seen, outside)
    assert not getattr(found, flag)
    walls = ("network", "filesystem", "pids", "ipc", "user", "environment")
    assert found.works == (flag not in walls)
    assert flag in found.why_not or flag.replace("_", " ") in str(found) or not found.works


@pytest.mark.parametrize("wall", [*WALLS, "none"])
def test_kernel_behind_every_wall(wall):
    server = launcher.KernelServer(wall, warm=False)
    try:
        assert server.ready["threads"] == 1
        kernel = server.spawn(LIMITS, seed=3)
        assert len(kernel.address("shell")) < 100
        session = execution._Session(kernel, LIMITS)
        end = time.monotonic() + 30
        code = f"import os, random; print(os.path.exists({str(REPOSITORY / 'tests')!r}))"
        first = session.run(code, end, output_bytes=1000)
        assert first.outputs.finish()[0]["text"] == f"{wall == 'none'}\n"
        session.limits = {**LIMITS, "cell_wall_s": 0.3}
        stopped = session.run("import time; time.sleep(30)", end, output_bytes=1000)
        assert stopped.status == "timeout" and not stopped.kernel_dead
        assert session.run("print(1)", end, output_bytes=1000).status == "ok"
        session.close()
        assert not kernel.folder.exists()
        assert not kernel.usage()["alive"]
    finally:
        server.close()


@pytest.mark.parametrize("end", ["whoever asked is gone", "the server is killed"])
@pytest.mark.parametrize("wall", WALLS)
def test_kernels_end_with_their_server(wall, end):
    started = []

    def start():  # in a thread, whose end is not that of the process: nothing dies with it
        started.append(launcher.KernelServer(wall, warm=False))
        started[0].spawn(LIMITS)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    (server,) = started
    try:
        outer = psutil.Process(server.process.pid)
        family = [outer, *outer.children(recursive=True)]
        assert len(family) >= 4  # the wall, the server, the kernel's first process, the kernel
        if end == "the server is killed":
            names = ("bwrap", "unshare")
            next(p for p in family if p.name() not in names).kill()
        else:
            server.process.stdout.close()
            server.process.stdin.write(b'{"op": "usage", "id": "none"}\n')
            server.process.stdin.flush()
        _, alive = psutil.wait_procs(family, timeout=30)
        assert not alive
    finally:
        server.close()


def test_over_tcp_where_there_are_no_unix_sockets(monkeypatch):
    monkeypatch.delattr(socket, "AF_UNIX")
    server = launcher.KernelServer("none", warm=False)
    monkeypatch.undo()
    try:
        assert server.transport == "tcp"
        session = execution._Session(server.spawn(LIMITS), LIMITS)
        run = session.run("print(5)", time.monotonic() + 20, output_bytes=100)
        assert run.outputs.finish()[0]["text"] == "5\n"
        session.close()
    finally:
        server.close()


def test_kernels_as_programs_where_there_is_no_fork(monkeypatch):
    server = kernel_server.Server({"namespaces": False, "warm": False})
    monkeypatch.delattr(os, "fork", raising=False)
    job = Path(launcher.tempfile.mkdtemp(prefix="ag"))
    request = {
        "op": "spawn",
        "id": "k1",
        "job": str(job),
        "uid": None,
        "limits": LIMITS,
        "seed": 0,
        "connection": {
            "transport": "ipc",
            "ip": str(job / "s"),
            "key": "0",
            **{f"{name}_port": number for number, name in enumerate(launcher.CHANNELS, 1)},
        },
    }
    try:
        assert server.answer(request) == {"ok": True}
        assert server.answer({"op": "usage", "id": "k1"}) == {"ok": True, "alive": True}
        Channel(str(job / "s-1"), "DEALER").close()
        assert server.answer({"op": "kill", "id": "k1"}) == {"ok": True}
    finally:
        server.close()
        launcher.shutil.rmtree(job)


def test_probe_names_what_is_not_protected():
    none = probing.probe("none")
    assert none.works and not (none.network or none.filesystem or none.user)
    assert "NOT protected: network, filesystem" in str(none)
    assert json.loads(json.dumps(none.to_json()))["wall"] == "none"
    if BEST != "none":
        assert "NOT" not in str(probing.probe(BEST))


def test_auto_without_isolation_asks_for_an_explicit_word(monkeypatch):
    monkeypatch.setattr(
        probing, "probe", lambda wall: probing.Protections(wall, False, why_not="forbidden here")
    )
    for asked in ("auto", "bwrap", "unshare"):
        with pytest.raises(SandboxUnavailable, match=r"forbidden here.*--unsandboxed"):
            probing.choose(asked)
    assert probing.choose("none") == "none"
    with pytest.raises(ValueError, match="chroot"):
        probing.choose("chroot")


def test_auto_takes_the_next_wall(monkeypatch):
    monkeypatch.setattr(
        probing, "probe", lambda wall: probing.Protections(wall, wall == "unshare", why_not="no")
    )
    assert probing.choose("auto") == "unshare"


def test_wall_that_cannot_be_built(monkeypatch):
    monkeypatch.setattr(
        launcher, "bubblewrap_command", lambda jobs, tree: ["/bin/sh", "-c", "echo broken >&2"]
    )
    monkeypatch.setattr(probing.shutil, "which", lambda name: "/bin/sh")
    found = probing.probe.__wrapped__("bwrap")
    if LINUX:
        assert not found.works and "broken" in found.why_not
    with pytest.raises(SandboxError, match="broken"):
        launcher.KernelServer("bwrap", warm=False)


def test_layout_shows_libraries_and_nothing_of_the_instructors(tmp_path):
    tree = launcher.layout(tmp_path / "j")
    bound = [Path(entry[1]) for entry in tree if entry[0] in ("ro", "rw")]
    for secret in ("autograde", "solutions", "tests", "notebooks", "gradebook.db"):
        path = REPOSITORY / secret
        shown = [b for b in bound if path.is_relative_to(b)]
        assert not shown or any(
            entry[0] == "hide" and path.is_relative_to(entry[-1]) for entry in tree
        )
    assert [entry[1] for entry in tree if entry[0] == "rw"] == [str(tmp_path / "j")]
    assert Path("/") not in bound and Path.home() not in bound


def test_layout_hides_the_instructors_half_inside_the_environment(tmp_path, monkeypatch):
    for name in ("autograde", "solutions", "tests"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(launcher, "REPOSITORY", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    tree = launcher.layout(tmp_path / "j")
    hidden = {entry[1] for entry in tree if entry[0] == "hide"}
    assert {str(tmp_path / name) for name in ("autograde", "solutions", "tests")} <= hidden
    assert tree.index(("ro", str(tmp_path), str(tmp_path))) < tree.index(
        ("hide", str(tmp_path / "autograde"))
    )


def test_layout_hides_nbgraders_exchange(tmp_path, monkeypatch):
    names = ("bin", "lib", "cuda-12.4", "share/nbgrader/exchange", "etc/jupyter", "course", "conda")
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "man").symlink_to("share")
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "conda" / "envs" / "rl"))
    found = launcher.hidden(tmp_path)
    assert found == [("hide", str(tmp_path / name)) for name in ("course", "etc", "share")]
    assert launcher.hidden(tmp_path / "nowhere") == []


@pytest.mark.parametrize("wall", WALLS)
def test_what_is_hidden_is_empty_and_stays_so(wall, monkeypatch, tmp_path):
    # As in an environment that holds the instructor's half of the course.
    library = tmp_path / "site-packages"
    (library / "solutions").mkdir(parents=True)
    (library / "solutions" / "lab.py").write_text("the answer")
    (library / "shown.py").touch()
    tmp_path.chmod(0o755)
    monkeypatch.setattr(launcher, "REPOSITORY", library)
    monkeypatch.setattr(sys, "path", [*sys.path, str(library)])
    server = launcher.KernelServer(wall, warm=False)
    try:
        session = execution._Session(server.spawn(LIMITS), LIMITS)
        code = f"""
import os
print(os.listdir({str(library)!r}), os.listdir({str(library / "solutions")!r}))
try:
    open({str(library / "solutions" / "x")!r}, "w")
except OSError as error:
    print(error.strerror)
"""
        run = session.run(code, time.monotonic() + 20, output_bytes=1000)
        seen = run.outputs.finish()[0]["text"]
        session.close()
    finally:
        server.close()
    names, rest = seen.split("]", 1)
    assert "shown.py" in names and rest == " []\nRead-only file system\n"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_seccomp_program_decides_as_it_should(machine):
    raw = system_calls.program(machine)
    code = [struct.unpack("=HBBI", raw[i : i + 8]) for i in range(0, len(raw), 8)]
    architecture, column = system_calls.MACHINES[machine]

    def decide(number, *arguments, arch=architecture):
        """Run the filter as the kernel would."""
        data = {0: number, 4: arch, **dict.fromkeys(range(16, 64, 4), 0)}
        for index, argument in enumerate(arguments):
            data[16 + 8 * index], data[20 + 8 * index] = argument & 0xFFFFFFFF, argument >> 32
        value, at = 0, 0
        while True:
            kind, yes, no, operand = code[at]
            at += 1
            if kind == 0x20:
                value = data[operand]
            elif kind == 0x06:
                return operand
            else:
                taken = {0x15: value == operand, 0x45: value & operand, 0x25: value > operand}[kind]
                at += yes if taken else no

    allow, error = 0x7FFF0000, 0x50000
    denied, no_call, no_family, no_protocol = error | 1, error | 38, error | 97, error | 93
    for numbers in system_calls.DENIED_CALLS.values():
        if numbers[column] is not None:
            assert decide(numbers[column]) == denied
    clone, socket_call = system_calls.CLONE[column], system_calls.SOCKET[column]
    assert decide(clone, 0x11) == allow and decide(clone, 0x3D0F00) == allow  # fork, a thread
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert decide(clone, flag | 0x11) == denied
    assert decide(system_calls.CLONE3[column]) == no_call
    for family in range(50):
        for kind in (1, 2, 3):
            found = decide(socket_call, family, kind, 0)
            assert found == (allow if family in (1, 2, 10, 16) else no_family)
        pair = decide(system_calls.SOCKETPAIR[column], family, 1, 0)
        assert pair == (allow if family == 1 else no_family)
    for protocol in range(300):
        for family, known in ((2, (0, 6, 17)), (10, (0, 6, 17)), (16, (0,))):
            found = decide(socket_call, family, 1, protocol)
            assert found == (allow if protocol in known else no_protocol)
    set_limit, ask_limit = system_calls.SETRLIMIT[column], system_calls.PRLIMIT[column]
    assert decide(set_limit, 4, 1 << 40) == denied and decide(set_limit, 7, 1 << 40) == allow
    assert decide(ask_limit, 0, 4, 0, 1 << 40) == allow
    for pointer in (8, 1 << 32, 1 << 40 | 8):
        assert decide(ask_limit, 0, 4, pointer) == denied
        assert decide(ask_limit, 0, 7, pointer) == allow
    assert decide(system_calls.SETAFFINITY[column]) == error
    assert decide(63) == allow and decide(1) == allow and decide(462) == allow
    assert decide(463) == no_call and decide(0x40000000 | 1) == no_call
    assert decide(1, arch=0x40000003) == 0x80000000  # 32-bit calls have other numbers
    assert system_calls.program("vax") is None


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", HEADERS)
def test_system_calls_have_the_numbers_of_the_kernels_headers(machine):
    if not HEADERS[machine].is_file():
        pytest.skip("no kernel headers here")
    table = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text()))
    _, column = system_calls.MACHINES[machine]
    for name, numbers in system_calls.DENIED_CALLS.items():
        found = table.get(name)
        assert found is None or int(found) == numbers[column], name
        assert numbers[column] is None or found is not None or numbers[column] > 450, name
    for name in ("clone", "clone3", "socket", "socketpair", "setrlimit"):
        assert int(table[name]) == getattr(system_calls, name.upper())[column]
    assert int(table["prlimit64"]) == system_calls.PRLIMIT[column]
    assert int(table["sched_setaffinity"]) == system_calls.SETAFFINITY[column]


@pytest.mark.skipif(not LINUX or os.cpu_count() < 2, reason="needs two cores")
@pytest.mark.parametrize(
    ("tasks", "rate", "held"), [(5, 1.0, False), (5, 1.4, True), (9, 0.0, False), (99, 0.0, True)]
)
def test_kernel_is_held_to_one_core_when_it_takes_more(monkeypatch, tasks, rate, held):
    server = kernel_server.Server({"namespaces": True, "number": 3})
    child = os.fork()
    if child == 0:
        time.sleep(20)
        os._exit(0)
    server.kernels["k1"] = child
    monkeypatch.setattr(metering, "tasks", lambda root: [root])
    clock = iter(range(100))
    monkeypatch.setattr(kernel_server.time, "monotonic", lambda: next(clock) / 10)
    try:
        server._hold_to_one_core("k1", {"cpu_s": 0.0, "tasks": 5})
        for look in range(1, 20):
            server._hold_to_one_core("k1", {"cpu_s": rate * look / 10, "tasks": tasks})
        assert (len(os.sched_getaffinity(child)) == 1) == held
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_usage_counts_descendants():
    child = os.fork()
    if child == 0:
        grandchild = os.fork()
        if grandchild == 0:
            end = time.process_time() + 0.15
            while time.process_time() < end:
                pass
            os._exit(0)
        os.waitpid(grandchild, 0)
        time.sleep(5)
        os._exit(0)
    try:
        for _ in range(100):
            found = metering.usage(child)
            if found["processes"] == 1 and found["cpu_s"] >= 0.1:
                break
            time.sleep(0.05)
        assert 0.1 <= found["cpu_s"] < 1
        assert found["memory_bytes"] > 1 << 20
        shared = metering.usage(child, precise_above=0)["memory_bytes"]
        assert 0 < shared < found["memory_bytes"]  # what it has in common with us counts half
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert metering.usage(child)["processes"] == 0


def test_silent_server_is_given_up(monkeypatch):
    server = launcher.KernelServer("none", warm=False)
    monkeypatch.setattr(server, "_read", lambda timeout: (_ for _ in ()).throw(SandboxError("?")))
    with pytest.raises(SandboxError):
        server.ask("usage", id="k1")
    assert not server.alive()
    with pytest.raises(SandboxError, match="closed"):
        server.ask("usage", id="k1")
    server.close()


def test_provisioner_runs_a_notebook_for_nbclient():
    from jupyter_client import KernelManager
    from jupyter_client.kernelspec import KernelSpec
    from nbclient import NotebookClient

    from autograde.sandbox import provisioner

    cold = launcher.KernelServer(BEST, warm=False)
    provisioner._servers[BEST] = cold
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import os; print(os.getcwd())")]
    )
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(
        argv=["ignored"],
        language="python",
        metadata={
            "kernel_provisioner": {
                "provisioner_name": "course-sandbox",
                "config": {"sandbox": BEST},
            }
        },
    )
    try:
        NotebookClient(book, km=manager).execute()
        manager.shutdown_kernel(now=True)
        where = book.cells[0].outputs[0]["text"]
        assert where == "/scratch/work\n" if BEST != "none" else where
        assert os.listdir(cold.jobs) == []
    finally:
        provisioner._servers.clear()
        cold.close()


def test_provisioner_signals():
    from autograde.sandbox import provisioner

    cold = launcher.KernelServer(BEST, warm=False)
    provisioner._servers[BEST] = cold

    async def life():
        one = provisioner.SandboxProvisioner(sandbox=BEST, kernel_spec=None)
        assert not one.has_process and await one.poll() == 0
        assert await one.pre_launch(env={"SECRET": "x"}) == {"cmd": [], "env": {}}
        info = await one.launch_kernel([])
        assert one.has_process and info["key"] and await one.poll() is None
        await one.send_signal(0)
        assert await one.poll() is None
        await one.kill()
        assert await one.wait() == 0
        await one.cleanup()
        assert not one.has_process

    try:
        asyncio.run(life())
    finally:
        provisioner._servers.clear()
        cold.close()


# --- the channel ---------------------------------------------------------------------------------


class Peer:
    """The other end of a channel, which may say what it likes."""

    def __init__(self, path):
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()

    def connect(self, kind="SUB", **options):
        """A Channel, with the handshake done by a thread of ours."""
        thread = threading.Thread(target=self._accept)
        thread.start()
        try:
            return Channel(self.path, kind, timeout=5, **options)
        finally:
            thread.join()

    def _accept(self):
        self.socket = self.listener.accept()[0]
        self.socket.sendall(GREETING + b"\x04\x06\x05READY")

    def close(self):
        self.socket.close()
        self.listener.close()


@pytest.fixture
def peer(tmp_path):
    one = Peer(tmp_path / "s")
    yield one
    one.close()


def frame(body, more=False):
    return bytes([2 | more]) + struct.pack(">Q", len(body)) + body


def collect(channel, until):
    messages = []
    end = time.monotonic() + 10
    while len(messages) < until and time.monotonic() < end:
        messages += channel.receive()
    return messages


def test_channel_splits_messages_however_they_come(peer):
    channel = peer.connect()
    stream = b"\x01\x01a" + frame(b"b" * 300) + b"\x04\x03\x02xy" + b"\x00\x00" + b"\x00\x01c"
    seen = []
    for byte in stream:
        peer.socket.sendall(bytes([byte]))
        seen += channel.receive()
    assert seen + collect(channel, 3 - len(seen)) == [[b"a", b"b" * 300], [b""], [b"c"]]
    channel.close()


def test_channel_drops_what_is_too_large_and_goes_on(peer):
    channel = peer.connect(max_message=1000)
    stream = frame(b"x" * 600, more=True) + frame(b"y" * 600, more=True) + frame(b"", more=True)
    stream += frame(b"z") + frame(b"small") + frame(b"x" * 5000) + b"\x00\x01c"
    stream += b"\x01\x00" * 400 + b"\x00\x00" + b"\x00\x01d"
    peer.socket.sendall(stream)
    seen = [m if isinstance(m, list) else type(m) for m in collect(channel, 6)]
    assert seen == [Dropped, [b"small"], Dropped, [b"c"], Dropped, [b"d"]]
    channel.close()


def test_channel_keeps_nothing_of_an_endless_message(peer):
    channel = peer.connect(max_message=1 << 16)
    part = frame(b"x" * (1 << 15), more=True)
    sender = threading.Thread(target=lambda: [peer.socket.sendall(part) for _ in range(500)])
    sender.start()
    while channel.received < 500 * len(part):
        assert channel.receive() == []
        assert len(channel._buffer) < 1 << 20 and sum(map(len, channel._parts)) <= 1 << 16
    sender.join()
    channel.close()


def test_channel_promises_nothing_to_a_liar(peer):
    channel = peer.connect()
    peer.socket.sendall(b"\x02" + b"\xff" * 8 + b"x" * 1000)  # a frame of 2^64 bytes
    time.sleep(0.05)
    assert channel.receive() == []
    peer.socket.close()
    with pytest.raises(ChannelClosed):
        collect(channel, 1)
    channel.close()
    channel = peer.connect()
    peer.socket.sendall(b"\x06" + b"\xff" * 8)  # a command of 2^64 bytes
    with pytest.raises(ChannelClosed):
        collect(channel, 1)
    channel.close()


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n" * 4, b"\xff" * 80, b"", b"\xff"])
def test_channel_refuses_what_does_not_speak_the_protocol(tmp_path, said):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def talk():
            other = listener.accept()[0]
            other.sendall(said)
            other.close()

        thread = threading.Thread(target=talk)
        thread.start()
        with pytest.raises(ChannelClosed):
            Channel(str(tmp_path / "s"), "DEALER", timeout=1)
        thread.join()
    with pytest.raises(ChannelClosed):
        Channel(str(tmp_path / "missing"), "DEALER", timeout=1)


# --- outputs -------------------------------------------------------------------------------------


def fed(*messages, limit=1000, nonce=""):
    outputs = Outputs(limit, nonce)
    for kind, content in messages:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        outputs.feed(kind, raw)
    items = outputs.finish()
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=items)])
    nbformat.validate(nbformat.from_dict(json.loads(json.dumps(book))))
    json.dumps(items).encode()
    for item in items:
        if item["output_type"] == "stream":
            item["text"].encode()
    return outputs, items


def stream(text, name="stdout"):
    return ("stream", {"name": name, "text": text})


def test_streams_are_joined_and_cut():
    _, items = fed(stream("a"), stream("b"), stream("c", "stderr"), stream("d"))
    assert [(i["name"], i["text"]) for i in items] == [
        ("stdout", "ab"),
        ("stderr", "c"),
        ("stdout", "d"),
    ]
    outputs, items = fed(stream("x" * 700), stream("y" * 700), stream("z" * 700))
    assert outputs.truncated and items[0]["text"].count("y") < 301
    assert "z" not in items[0]["text"] and "cut off" in items[-1]["text"]


def test_error_behind_too_much_text_is_kept():
    error = {"ename": "E", "evalue": "v", "traceback": ["x" * 50_000]}
    _, items = fed(stream("x" * 2000), ("error", error), *[("error", error)] * 10)
    errors = [item for item in items if item["output_type"] == "error"]
    assert 1 <= len(errors) <= 3
    assert len("\n".join(errors[0]["traceback"])) < MAX_TRACEBACK + 100


def test_a_million_tiny_messages_are_not_small():
    outputs, items = fed(*[stream("x")] * 3000, limit=10_000)
    assert outputs.truncated and len(items) == 2
    outputs, items = fed(*[("display_data", {"data": {"text/plain": ""}})] * 3000, limit=10_000)
    assert outputs.truncated and len(items) < 120


def test_strings_that_cannot_be_encoded_and_numbers_browsers_do_not_know():
    _, items = fed(
        ("stream", b'{"name": "stdout", "text": "\\ud800 \\ud83d\\ude00"}'),
        ("display_data", b'{"data": {"application/json": [NaN, 1e999, 2.5, {"\\udfff": null}]}}'),
    )
    assert items[0]["text"] == "\ufffd \U0001f600"
    assert items[1]["data"]["application/json"] == [None, None, 2.5, {"\ufffd": None}]


@pytest.mark.parametrize("kind", ["stream", "display_data", "execute_result", "error", "status"])
@pytest.mark.parametrize(
    "content",
    [
        None,
        3,
        [],
        "x",
        {},
        b"",
        b"\xff",
        b"[" * 200_000,
        b'{"data": {"application/json": ' + b"[" * 500 + b"]" * 500 + b"}}",
        b"9" * 5000,
        {"name": {}, "text": [], "data": [], "metadata": "x", "transient": [1]},
        {"data": {"": "x", "a b": "x", "text/plain": 3, "x" * 500 + "/y": "z"}},
        {"data": {"text/plain": ["a", 1]}, "execution_count": True},
        {"data": {"applicavion/x+json": {"a": 1}, "application/x+json; a=b": [1]}},
        {"data": {"text/plain": "a"}, "execution_count": -1, "metadata": {"x": "y" * 20_000}},
        {"ename": None, "evalue": 2, "traceback": {"a": 1}},
    ],
)
def test_nonsense_becomes_nothing_or_something_valid(kind, content):
    _, items = fed((kind, content), stream("still here"))
    assert items[-1]["text"] == "still here"


def test_metadata_and_mime_types_are_checked():
    _, items = fed(
        (
            "display_data",
            {
                "data": {"text/html": ["<b>", "x</b>"], "text/plain; charset=utf-8": "p", "bad": 1},
                "metadata": {"image/png": {"width": 3}},
            },
        )
    )
    assert items[0]["data"] == {"text/html": "<b>x</b>", "text/plain; charset=utf-8": "p"}
    assert items[0]["metadata"] == {"image/png": {"width": 3}}


def observed(nonce, observation, mime=OBSERVATION_MIME):
    return ("display_data", {"data": {mime: {"nonce": nonce, "observation": observation}}})


def test_the_first_observation_with_the_nonce_is_kept_and_no_output():
    others = [observed("m", {"x": 1}), observed("n", [1]), observed("n", 7), stream("n")]
    others += [("display_data", b"n"), ("display_data", b'{"data": "n"}'), ("stream", b'["n"]')]
    right = observed("n", {"x": float("nan"), "y": 1})
    outputs, items = fed(*others, right, observed("n", {"x": 2}), nonce="n")
    assert outputs.observation["y"] == 1 and items == []
    outputs, items = fed(right)
    assert outputs.observation is None and list(items[0]["data"]) == [OBSERVATION_MIME]
    outputs, _ = fed(observed("n", {"x": "y" * (9 << 20)}), nonce="n")
    assert outputs.observation is None and outputs.too_large


def test_what_takes_far_more_memory_than_bytes_is_not_taken_apart():
    # three bytes of JSON for a list of 56
    crowd = (
        b'{"name": "stdout", "text": "' + b"x" * 999 + b'", "more": [' + b"[]," * 400_000 + b"1]}"
    )
    started = time.process_time()
    outputs, items = fed(("stream", crowd), ("display_data", crowd), *[observed("n", {})] * 2)
    assert outputs.truncated and "cut off" in items[0]["text"]
    large = observed("n", {"cases": [[] for _ in range(400_000)]})
    assert fed(large, nonce="n")[0].observation is None
    wide = {"data": {"application/json": list(range(400_000))}}
    outputs, items = fed(("display_data", wide))
    assert outputs.truncated and len(items) == 1
    assert time.process_time() - started < 3


def test_names_of_displays_are_short():
    display = {"data": {"text/plain": "a"}, "transient": {"display_id": "x" * 100_000}}
    outputs, _ = fed(("display_data", display), limit=1_000_000)
    assert outputs._displays == {}


def test_messages_are_taken_apart_with_care():
    good = [b"topic", b"<IDS|MSG>", b"s", b'{"msg_type": "t"}', b'{"msg_id": "p"}', b"{}", b"{1}"]
    assert split_message(good) == ("t", "p", b"{1}")
    for bad in (
        [],
        [b"<IDS|MSG>"],
        good[:6],
        [*good[:3], b"[]", *good[4:]],
        [*good[:3], b'{"msg_type": 3}', *good[4:]],
        [*good[:3], b'{"msg_type": "' + b"x" * 100_000 + b'"}', *good[4:]],
    ):
        with pytest.raises(Malformed):
            split_message(bad)
    assert split_message([*good[:4], b"7", *good[5:]])[1] == ""
    with pytest.raises(Malformed):
        parse_json(b"{" * 10)


def test_clip_keeps_both_ends():
    assert clip("short", 10) == "short"
    assert clip("a" * 50 + "b" * 50, 30).startswith("a" * 20)
    assert clip("a" * 50 + "b" * 50, 30).endswith("b" * 10)


def test_visible_part():
    assert execution.visible_part("a\n### BEGIN HIDDEN TESTS\nb") == "a\n"
    assert execution.visible_part("a\n    ### BEGIN HIDDEN TESTS\nb\n") == "a\n"
    assert execution.visible_part("a = '### BEGIN HIDDEN TESTS'") == "a = '### BEGIN HIDDEN TESTS'"
