"""Starts the kernel server behind a wall and asks it for kernels.

Three walls, strongest first: `bwrap` (bubblewrap makes the outer namespaces and the file tree),
`unshare` (util-linux makes the namespaces, the server builds the same tree), `none` (limits only).
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import multiprocessing.util
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("kernel_server.py")
SERVER_FILES = (SERVER.name, "confinement.py", "metering.py", "self_check.py", "system_calls.py")
REPOSITORY = Path(__file__).resolve().parents[2]
COURSE = "/run/course"  # inside: the folder that holds course_utils
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
WALLS = ("bwrap", "unshare", "none")
# Above the ranges that distributions and systemd hand out, so that a student's uid is nobody's.
FIRST_UID, UIDS = 1_900_000_000, 1 << 26
DEFAULT_LIMITS = {
    "memory_bytes": 4 << 30,
    "file_bytes": 100 << 20,
    "processes": 128,
    "total_cpu_s": 3600,
}
CHECK_LIMITS = {"file_bytes": 1 << 20, "processes": 16}  # small: a check uses them up


class SandboxError(RuntimeError):
    """The sandbox itself failed, not the student's code."""


class SandboxUnavailable(SandboxError):
    """Nobody's code can be run on this machine as it is; the text says what to do about it."""


def environment(home: str, python_path: list[str]) -> dict[str, str]:
    """All that a student's code finds in its environment."""
    return {
        "PYTHONPATH": os.pathsep.join(python_path),
        "PATH": f"{Path(sys.prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "USER": "student",
        "LOGNAME": "student",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",  # sets of strings are walked in one order, for every student
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": os.path.join(home, ".config", "matplotlib"),
        "IPYTHONDIR": os.path.join(home, ".ipython"),
        "SDL_VIDEODRIVER": "dummy",
        "SDL_AUDIODRIVER": "dummy",
        "PYGAME_HIDE_SUPPORT_PROMPT": "1",
        "NBGRADER_EXECUTION": "autograde",
        "JUPYTER_PLATFORM_DIRS": "1",
    }


def course_package() -> Path:
    """The folder of the course_utils that this process would import."""
    import course_utils

    return Path(course_utils.__file__).resolve().parent


def library_folders() -> list[str]:
    """Where this process finds packages outside its environment (user site, `.pth` files)."""
    return [
        folder
        for folder in dict.fromkeys(sys.path)
        if os.path.basename(folder) in ("site-packages", "dist-packages")
        and os.path.isdir(folder)
        and not any(Path(folder).is_relative_to(p) for p in ("/usr", sys.prefix, sys.base_prefix))
    ]


def prefixes() -> list[str]:
    """The folders that this process's Python and its packages lie in."""
    interpreter = str(Path(os.path.realpath(sys.executable)).parents[1])
    return [sys.prefix, sys.base_prefix, interpreter, "/nix/store", *library_folders()]


def hidden(local: Path) -> list[tuple[str, ...]]:
    """What of /usr/local no program needs and no student may read, as entries of a layout.

    By default nbgrader's exchange, and in it what everybody has handed in, lies in its share.
    """
    programs = ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "include", "cuda")
    needed = [Path(path) for path in prefixes()]
    try:
        found = sorted(Path(e) for e in os.scandir(local) if e.is_dir(follow_symlinks=False))
    except OSError:
        return []
    return [
        ("hide", str(path))
        for path in found
        if path.name.partition("-")[0] not in programs
        and not any(need.is_relative_to(path) for need in needed)
    ]


def layout(jobs: Path) -> list[tuple[str, ...]]:
    """The file tree of the server: an allow-list, in mount order.

    Entries are (operation, [source,] target) with the operations ro, rw (bind), symlink (source is
    the link's text), dir, tmpfs, hide (an empty folder that stays so), proc, dev.
    """
    tree: list[tuple[str, ...]] = [("ro", "/usr", "/usr"), *hidden(Path("/usr/local"))]
    for name in ("/bin", "/sbin", "/lib", "/lib64", "/lib32"):
        if os.path.islink(name):
            tree.append(("symlink", os.readlink(name), name))
        elif os.path.isdir(name):
            tree.append(("ro", name, name))
    tree += [("proc", "/proc"), ("dev", "/dev"), ("tmpfs", "/tmp"), ("tmpfs", "/scratch")]
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts"):
        if os.path.exists(f"/etc/{name}"):
            tree.append(("ro", f"/etc/{name}", f"/etc/{name}"))
    if os.path.isdir("/sys/devices/system/cpu"):  # torch counts processors there
        tree.append(("ro", "/sys/devices/system/cpu", "/sys/devices/system/cpu"))
    for name in ("passwd", "group"):
        tree.append(("ro", str(jobs.parent / name), f"/etc/{name}"))

    shown = [Path("/usr")]
    for prefix in prefixes():
        if os.path.isdir(prefix) and not any(Path(prefix).is_relative_to(path) for path in shown):
            # the environment may be a link to another one, under whose name nothing is here
            tree.append(("ro", os.path.realpath(prefix), prefix))
            shown.append(Path(prefix))
    if any(REPOSITORY.is_relative_to(path) for path in shown):
        # The instructor's half of the course lies inside what was just shown.
        for name in ("autograde", "solutions", "tests", "benchmarks", ".git"):
            if (REPOSITORY / name).is_dir():
                tree.append(("hide", str(REPOSITORY / name)))
    # At a place of its own, first in the path: what an editable install points to is another
    # checkout's, or lies where it cannot be seen from inside.
    tree.append(("ro", str(course_package()), f"{COURSE}/course_utils"))
    for name in SERVER_FILES:
        tree.append(("ro", str(SERVER.with_name(name)), f"/run/{name}"))
    tree += [("rw", str(jobs), "/run/jobs"), ("dir", "/job")]
    return tree


def bubblewrap_command(jobs: Path, tree: list[tuple[str, ...]]) -> list[str]:
    """The command line up to the program; capabilities stay with the server, not its kernels."""
    command = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    command += ["--new-session", "--clearenv", "--hostname", "sandbox", "--cap-add", "ALL"]
    if os.geteuid() != 0:
        command.append("--unshare-user")
    if threading.current_thread() is threading.main_thread():
        # The kernel means the parent *thread*; from another one the end of input has to do.
        command.append("--die-with-parent")
    for name, value in environment("/scratch/home", [COURSE, *library_folders()]).items():
        command += ["--setenv", name, value]
    made = {"/"}
    for operation, *arguments in tree:
        # parents that bubblewrap makes by itself are closed to everyone but root
        for parent in reversed(Path(arguments[-1]).parents):
            if str(parent) not in made:
                made.add(str(parent))
                command += ["--dir", str(parent)]
        made.add(arguments[-1])
        if operation == "hide":
            command += ["--tmpfs", *arguments, "--remount-ro", *arguments]
            continue
        option = {"ro": "--ro-bind", "rw": "--bind"}.get(operation, f"--{operation}")
        command += [option, *arguments]
    return [*command, "--remount-ro", "/", "--chdir", "/tmp", "--"]


def unshare_command() -> list[str]:
    """The same namespaces by util-linux; the server builds the file tree itself."""
    command = ["unshare", "--mount", "--pid", "--fork", "--net", "--ipc", "--uts", "--kill-child"]
    return command + (["--user", "--map-root-user"] if os.geteuid() != 0 else []) + ["--"]


def _mapped(uid: int) -> bool:
    """Whether `uid` exists in this user namespace (containers map a part of all numbers)."""
    try:
        table = Path("/proc/self/uid_map").read_text().splitlines()
    except OSError:
        return True
    return any(
        int(first) <= uid < int(first) + int(count)
        for first, _, count in (line.split() for line in table)
    )


@dataclass
class Kernel:
    """A running kernel, seen from the trusted side."""

    server: KernelServer
    name: str
    folder: Path
    inside: str  # the path of `folder` for the kernel, which can only read it
    connection: dict[str, Any]  # as a Jupyter connection file holds it, paths of this side
    last_usage: dict[str, Any] = field(default_factory=dict)

    def address(self, channel: str) -> str | tuple[str, int]:
        """Where to connect for shell, iopub, stdin, control or hb."""
        port = self.connection[f"{channel}_port"]
        if self.connection["transport"] == "ipc":
            return f"{self.connection['ip']}-{port}"
        return (self.connection["ip"], port)

    def lay(self, text: str) -> str:
        """Put `text` where the kernel can read it; gives the path for the kernel."""
        name = f"r{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with open(os.open(self.folder / name, flags, 0o644), "w", encoding="utf-8") as file:
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), 0o644)  # whatever the umask
            file.write(text)
        return os.path.join(self.inside, name)

    def interrupt(self) -> None:
        self.server.ask("interrupt", id=self.name)

    def usage(self, precise_above: int | None = None) -> dict[str, Any]:
        """alive, and where it is known cpu_s, memory_bytes, processes, of all its processes."""
        answer = self.server.ask("usage", id=self.name, precise_above=precise_above)
        self.last_usage = {**self.last_usage, **answer}
        return answer

    def kill(self) -> None:
        """End every process of the kernel and remove what it could write to. Never raises."""
        with contextlib.suppress(SandboxError):
            self.server.ask("kill", id=self.name)
        shutil.rmtree(self.folder, ignore_errors=True)


class KernelServer:
    """A warm server process behind `wall`, started by the constructor (about three seconds).

    Raises SandboxError when it does not come up, SandboxUnavailable when it does (and is to be
    warm) but cannot import course_utils, without which every answer would be wrong. Threads may
    share one; a forked process may not use its parent's.
    """

    def __init__(self, wall: str, warm: bool = True, start_timeout: float = 300) -> None:
        if wall not in WALLS:
            raise ValueError(f"unknown sandbox {wall!r}")
        self.wall = wall
        self.owner = os.getpid()
        self._numbers = itertools.count(1)
        self._lines = b""
        self._lock = threading.Lock()
        namespaces = wall != "none"
        self.transport = "ipc" if hasattr(socket, "AF_UNIX") and os.name != "nt" else "tcp"
        self.folder = Path(tempfile.mkdtemp(prefix="ag"))
        if len(str(self.folder)) > 70 and os.path.isdir("/tmp"):  # a socket's path holds 107 bytes
            self.folder.rmdir()
            self.folder = Path(tempfile.mkdtemp(prefix="ag", dir="/tmp"))
        self.jobs = self.folder / "j"
        self.jobs.mkdir()
        (self.folder / "passwd").write_text("root:x:0:0::/:/bin/false\n")
        (self.folder / "group").write_text("root:x:0:\n")
        self.unprivileged = namespaces and os.geteuid() != 0
        config: dict[str, Any] = {"namespaces": namespaces, "warm": warm, "number": os.getpid()}
        tree = layout(self.jobs) if namespaces else []
        # What a kernel needs of /tmp: an environment may lie there.
        self._kept_in_tmp = [
            entry[-1] for entry in tree if entry[0] == "ro" and entry[-1].startswith("/tmp/")
        ]
        program = [sys.executable, "-s", "/run/kernel_server.py"]
        env = environment("/scratch/home", [COURSE, *library_folders()])
        if wall == "bwrap":
            command = bubblewrap_command(self.jobs, tree)
        elif wall == "unshare":
            command = unshare_command()
            config["root"] = tree
            program[-1] = str(SERVER)
        else:
            command = []
            program[-1] = str(SERVER)
            path = [str(course_package().parent), *library_folders()]
            env = environment(str(self.folder / "home"), path)
            for name in ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT"):
                if name in os.environ:  # Windows starts no Python without them
                    env[name] = os.environ[name]
        self._errors = open(self.folder / "errors", "w+b")  # noqa: SIM115
        try:
            self.process = subprocess.Popen(
                [*command, *program, json.dumps(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=env,
                start_new_session=True,  # Ctrl-C is for the one who grades
            )
        except OSError as error:
            self.close()
            raise SandboxError(f"{wall} does not start: {error}") from error
        atexit.register(self.close)
        # a worker of multiprocessing ends without atexit
        multiprocessing.util.Finalize(None, self.close, exitpriority=10)
        try:
            self.ready = self._read(start_timeout)
            if self.ready.get("course_utils"):
                raise SandboxUnavailable(
                    "course_utils cannot be imported inside the sandbox: "
                    f"{self.ready['course_utils']}; nobody would get a point. Install the course "
                    f"and its packages into the environment of {sys.executable} and run again."
                )
        except SandboxError:
            self.close()
            raise

    def _read(self, timeout: float) -> dict[str, Any]:
        pipe = self.process.stdout
        assert pipe is not None
        while b"\n" not in self._lines:
            if os.name != "nt" and not select.select([pipe], [], [], timeout)[0]:
                raise SandboxError(f"the kernel server has not answered for {timeout:.0f} s")
            data = os.read(pipe.fileno(), 65536)
            if not data:
                self._errors.seek(0)
                said = self._errors.read()[-2000:].decode("utf-8", "replace").strip()
                raise SandboxError(f"the kernel server ended: {said or 'no reason given'}")
            self._lines += data
        line, _, self._lines = self._lines.partition(b"\n")
        return json.loads(line)

    def ask(self, operation: str, timeout: float = 120, **arguments: Any) -> dict[str, Any]:
        """One request and its answer. Raises SandboxError; after that the server is of no use."""
        request = json.dumps({"op": operation, **arguments}).encode() + b"\n"
        with self._lock:
            if self.process.stdin is None or self.process.stdin.closed:
                raise SandboxError("the kernel server is closed")
            try:
                self.process.stdin.write(request)
                self.process.stdin.flush()
            except OSError as error:
                raise SandboxError(f"the kernel server is gone: {error}") from error
            try:
                answer = self._read(timeout)
            except SandboxError:
                self._give_up()  # a late answer would be taken for the next one's
                raise
        if not answer.pop("ok"):
            raise SandboxError(answer.get("error", "the kernel server refused"))
        return answer

    def _give_up(self) -> None:
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
        self.process.wait()

    def alive(self) -> bool:
        return self.process.poll() is None

    def _inside(self, name: str) -> str:
        return "/job" if self.wall != "none" else str(self.jobs / name)

    def spawn(self, limits: dict[str, Any] | None = None, seed: int = 0) -> Kernel:
        """Fork a kernel; returns when its sockets are bound. Raises SandboxError."""
        name, folder, connection, answer = self._spawn(limits, seed)
        del answer
        return Kernel(self, name, folder, self._inside(name), connection)

    def check(self) -> dict[str, Any]:
        """What a confined process sees and reaches, found out by one (see self_check)."""
        _, folder, _, answer = self._spawn(CHECK_LIMITS, 0, check=True)
        shutil.rmtree(folder, ignore_errors=True)
        return answer["check"]

    def _spawn(
        self, limits: dict[str, Any] | None, seed: int, check: bool = False
    ) -> tuple[str, Path, dict[str, Any], dict[str, Any]]:
        number = next(self._numbers)
        name = f"k{number}"
        folder = self.jobs / name
        folder.mkdir(mode=0o700)
        inside = self.wall != "none"
        limits = {**DEFAULT_LIMITS, **(limits or {})}
        limits.setdefault("scratch_bytes", 2 * limits["file_bytes"])
        ports = _free_ports() if self.transport == "tcp" else range(1, 6)
        connection = {
            "transport": self.transport,
            "ip": str(folder / "s") if self.transport == "ipc" else "127.0.0.1",
            "key": secrets.token_hex(16),
            "signature_scheme": "hmac-sha256",
            **{f"{channel}_port": port for channel, port in zip(CHANNELS, ports, strict=True)},
        }
        uid = None
        if inside and not self.unprivileged:
            uid = FIRST_UID + (os.getpid() * 16 + number % 16) % UIDS
            if not _mapped(uid):
                uid = 20_000 + uid % 40_000
        theirs = {**connection, "ip": "/job/s"} if inside else connection
        try:
            answer = self.ask(
                "spawn",
                id=name,
                job=f"/run/jobs/{name}" if inside else str(folder),
                uid=uid,
                limits=limits,
                connection={k: v for k, v in theirs.items() if k != "signature_scheme"},
                kept_in_tmp=self._kept_in_tmp,
                seed=seed,
                check=check,
            )
        except SandboxError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return name, folder, connection, answer

    def close(self) -> None:
        """End the server and all its kernels, remove its folder. Never raises."""
        if os.getpid() != self.owner:  # a fork's copy owns nothing
            return
        process = getattr(self, "process", None)
        if process is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                self._give_up()
            process.stdout.close()
        self._errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)


def _free_ports() -> list[int]:
    sockets = [socket.socket() for _ in CHANNELS]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
