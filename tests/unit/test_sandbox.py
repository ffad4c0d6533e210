"""The parts of the sandbox: walls that are really tried, a channel that keeps bounds, outputs."""

import asyncio
import json
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest

from autograde import execution
from autograde.sandbox import kernel_server, launcher
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
    assert seen["capabilities"] == 0 and not seen["user_namespaces"]
    assert seen["writable"] == [] and seen["scratch"]
    assert seen["processes"] == 2 and seen["jobs"] == []
    assert set(seen["interfaces"]) <= {"lo"}
    assert seen["uid"] not in (0, os.getuid()) or os.geteuid() != 0
    assert not server.folder.exists()


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
    server = kernel_server.Server({"namespaces": False, "user_namespace": False, "warm": False})
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
            entry[0] == "tmpfs" and path.is_relative_to(entry[-1]) for entry in tree
        )
    assert [entry[1] for entry in tree if entry[0] == "rw"] == [str(tmp_path / "j")]
    assert Path("/") not in bound and Path.home() not in bound


def test_layout_hides_the_instructors_half_inside_the_environment(tmp_path, monkeypatch):
    for name in ("autograde", "solutions", "tests"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(launcher, "REPOSITORY", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    tree = launcher.layout(tmp_path / "j")
    hidden = {entry[1] for entry in tree if entry[0] == "tmpfs"}
    assert {str(tmp_path / name) for name in ("autograde", "solutions", "tests")} <= hidden
    assert tree.index(("ro", str(tmp_path), str(tmp_path))) < tree.index(
        ("tmpfs", str(tmp_path / "autograde"))
    )


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_seccomp_program_decides_as_it_should(machine):
    code = [
        struct.unpack("=HBBI", kernel_server.seccomp_program(machine)[i : i + 8])
        for i in range(0, len(kernel_server.seccomp_program(machine)), 8)
    ]
    architecture, column = kernel_server.MACHINES[machine]

    def decide(number, first=0, arch=architecture):
        """Run the filter as the kernel would."""
        data, value, at = {0: number, 4: arch, 16: first}, 0, 0
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

    allow, denied = 0x7FFF0000, 0x50001
    for numbers in kernel_server.DENIED_CALLS.values():
        assert decide(numbers[column]) == denied
    clone, socket_call = kernel_server.CLONE_CALL[column], kernel_server.SOCKET_CALL[column]
    assert decide(clone, 0x11) == allow and decide(clone, 0x10000011) == denied
    assert decide(kernel_server.CLONE3_CALL[column]) == 0x50000 | 38
    for family in range(50):
        assert (decide(socket_call, family) == allow) == (family in (1, 2, 10, 16))
    assert decide(63) == allow and decide(1) == allow
    assert decide(1, arch=0x40000003) == 0x80000000  # 32-bit calls have other numbers
    assert kernel_server.seccomp_program("vax") is None
    if machine == "x86_64":
        assert decide(0x40000000 | 1) == 0x50000 | 38


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
            found = kernel_server.usage(child)
            if found["processes"] == 1 and found["cpu_s"] >= 0.1:
                break
            time.sleep(0.05)
        assert 0.1 <= found["cpu_s"] < 1
        assert found["memory_bytes"] > 1 << 20
        shared = kernel_server.usage(child, precise_above=0)["memory_bytes"]
        assert 0 < shared < found["memory_bytes"]  # what it has in common with us counts half
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert kernel_server.usage(child)["processes"] == 0


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


def fed(*messages, limit=1000, observe=False):
    outputs = Outputs(limit, observe)
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


def test_observations_are_collected_apart():
    bundle = {"data": {OBSERVATION_MIME: {"nonce": "n", "observation": {"x": float("nan")}}}}
    outputs, items = fed(("display_data", bundle), stream("hidden"), observe=True)
    assert outputs.observations[0]["nonce"] == "n"
    outputs, items = fed(("display_data", bundle))
    assert outputs.observations == [] and list(items[0]["data"]) == [OBSERVATION_MIME]


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
