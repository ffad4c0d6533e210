"""Forks confined Jupyter kernels from one warm process that has imported what notebooks need.

This file is run by path inside the sandbox, so it imports nothing of `autograde` but its neighbor
system_calls.py: there is no `autograde` on that side of the wall. It obeys JSON lines on stdin and
answers each on stdout:

    {"op": "spawn", "id", "job", "uid", "limits", "connection", "seed"} -> {"ok": true}
    {"op": "interrupt", "id"}      SIGINT to the kernel alone
    {"op": "usage", "id"}          -> {"alive", "cpu_s", "memory_bytes", "processes"}
    {"op": "kill", "id"}           SIGKILL to every process the kernel has started

End of input ends the server and with it every kernel.

A confined kernel is two processes in pid, mount, network, ipc and uts namespaces of its own: a
small init (pid 1: reaps orphans, passes SIGINT on, cannot be killed from inside) and the stock
IPython kernel, which has given up every capability before it could see a student's line. The server
must never compute or start a thread: a fork of a multi-threaded process can hang.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import gc
import importlib
import json
import mmap
import os
import pkgutil
import platform
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time

try:
    import resource
except ImportError:  # Windows
    resource = None
if __name__ == "__main__":
    import system_calls
else:
    from autograde.sandbox import system_calls

LINUX = sys.platform.startswith("linux")
START_TIMEOUT_S = 60
SCRATCH, JOB, JOBS = "/scratch", "/job", "/run/jobs"
STUDENT = 1000  # the user inside, whoever it is outside
NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
USER_LIMITS = {
    **{
        f"{name}_namespaces": "0"
        for name in ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup", "time")
    },
    "inotify_instances": "64",  # would else come out of the instructor's own
    "inotify_watches": "8192",
}
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
WARM = (
    *("numpy", "numpy.testing", "PIL.Image", "PIL.PngImagePlugin", "tqdm", "tqdm.auto"),
    *("matplotlib", "matplotlib.pyplot", "matplotlib.figure", "matplotlib.backends.backend_agg"),
    # constructing an optimizer imports torch._dynamo, which takes a second
    *("torch", "torch._dynamo", "torch.nn.functional", "torch.optim", "torch.distributions"),
    *("gymnasium", "gymnasium.vector", "gymnasium.wrappers"),
    "gymnasium.envs.classic_control.cartpole",
    *("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.debugger"),
    *("ipykernel.comm.manager", "IPython.display", "IPython.core.completerlib"),
    *("ipywidgets", "anywidget"),
)

# linux/sched.h, linux/mount.h, linux/prctl.h, linux/capability.h
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 1024, 2048, 4096, 16384
MS_PRIVATE, MS_RELATIME = 1 << 18, 1 << 21
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = (
    36,
    38,
    47,
    4,
)

libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source, target, kind=None, flags=0, data=None):
    source, target, kind, data = (
        None if text is None else os.fsencode(text) for text in (source, target, kind, data)
    )
    _check(libc.mount(source, target, kind, ctypes.c_ulong(flags), data), f"mount on {target!r}")


def _unshare(flags):
    _check(libc.unshare(flags), f"unshare {flags:#x}")


def _prctl(option, *arguments):
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return libc.prctl(option, *values)


def _remount_read_only(path, more=0):
    """Make the mount at `path` read-only, keeping the flags that a user namespace may not lift."""
    have = os.statvfs(path).f_flag
    pairs = (
        (os.ST_NOSUID, MS_NOSUID),
        (os.ST_NODEV, MS_NODEV),
        (os.ST_NOEXEC, MS_NOEXEC),
        (os.ST_NOATIME, MS_NOATIME),
        (os.ST_NODIRATIME, MS_NODIRATIME),
        (os.ST_RELATIME, MS_RELATIME),
    )
    kept = sum(flag for bit, flag in pairs if have & bit)
    _mount(None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY | kept | more)


# --- the server's own file tree, where bubblewrap has not made it already ------------------------


def build_root(layout):
    """Make the file tree described by `layout` (see launcher.layout) this process's root."""
    os.umask(0o022)  # whatever the instructor's
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    os.mkdir("/tmp/.old", 0o700)
    os.chdir("/tmp")
    _check(libc.pivot_root(b".", b".old"), "pivot_root")  # what /tmp held is at /.old/tmp again
    os.chdir("/")
    # /proc first: the kernel lets a user namespace mount one only beside one that is in sight
    for operation, *arguments in sorted(layout, key=lambda entry: entry[0] != "proc"):
        target = arguments[-1]
        if operation == "symlink":
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(arguments[0], target)
        elif operation in ("ro", "rw"):
            _bind("/.old" + arguments[0], target, read_only=operation == "ro")
        else:
            os.makedirs(target, exist_ok=True)
            if operation == "tmpfs":
                _mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
            elif operation == "proc":
                _mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
            elif operation == "dev":
                _make_devices(target)
    _check(libc.umount2(b"/.old", MNT_DETACH), "umount of the old root")
    os.rmdir("/.old")
    _remount_read_only("/")


def _bind(source, target, read_only):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        with open(target, "w"):
            pass
    _mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        with open("/proc/self/mountinfo") as table:
            points = [_unescape(line.split()[4]) for line in table]
        for point in points:  # what is mounted below the source came along
            if point == target or point.startswith(target + "/"):
                _remount_read_only(point, MS_NOSUID | MS_NODEV)


def _unescape(path):
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def _make_devices(target):
    _mount("tmpfs", target, "tmpfs", MS_NOSUID, "mode=0755")
    for name in DEVICES:
        with open(f"{target}/{name}", "w"):
            pass
        _mount(f"/.old/dev/{name}", f"{target}/{name}", None, MS_BIND)
    for name, link in (
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ):
        os.symlink(link, f"{target}/{name}")
    os.mkdir(f"{target}/shm")
    os.mkdir(f"{target}/pts")
    _mount("devpts", f"{target}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666")


# --- giving up privileges ------------------------------------------------------------------------


def _give_up_rights(uid):
    """Become `uid` (None: stay who we are) without any capability, for ever."""
    for capability in range(64):
        _prctl(PR_CAPBSET_DROP, capability)  # fails past the last one
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    if uid is not None:
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("=Ii", 0x20080522, 0)
    _check(libc.capset(header, bytes(24)), "capset")
    _check(_prctl(PR_SET_NO_NEW_PRIVS, 1), "no_new_privs")


def _limit(name, value):
    if resource is None or not hasattr(resource, name) or value is None:
        return
    number = getattr(resource, name)
    _, hard = resource.getrlimit(number)
    value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
    with contextlib.suppress(OSError, ValueError):  # macOS knows some limits by name only
        resource.setrlimit(number, (value, value))


def _set_limits(limits, own_uid):
    size = data = None
    if LINUX:
        with open("/proc/self/status") as status:
            table = dict(line.split(":", 1) for line in status if ":" in line)
        # what the warm process has mapped already (a CUDA build of torch maps gigabytes) is free
        data = int(table["VmData"].split()[0]) * 1024 + limits["memory_bytes"]
        size = int(table["VmSize"].split()[0]) * 1024 + limits["memory_bytes"] + (1 << 30)
    _limit("RLIMIT_DATA", data)
    _limit("RLIMIT_AS", size)
    _limit("RLIMIT_FSIZE", limits["file_bytes"])
    _limit("RLIMIT_CPU", limits["total_cpu_s"])
    _limit("RLIMIT_CORE", 1)  # none, not even to a crash reporter: see system_calls
    _limit("RLIMIT_MSGQUEUE", 0)
    _limit("RLIMIT_NOFILE", 1024)
    if own_uid:  # otherwise it would count the instructor's processes too
        _limit("RLIMIT_NPROC", limits["processes"])


def _silence(keep=()):
    """Point stdin, stdout and stderr at nothing and close every other descriptor but `keep`."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        if descriptor not in keep:
            os.dup2(null, descriptor)
    low = 3
    for descriptor in sorted(keep):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, 65536 if resource is None else resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _default_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)


# --- a confined kernel ---------------------------------------------------------------------------


def init(request, report):
    """Be pid 1 of a kernel's namespaces: confine, fork the kernel, reap until it has ended."""
    limits, uid = request["limits"], request["uid"]
    _default_signals()
    _silence(keep=(report,))
    os.umask(0o022)  # whatever the instructor's
    if uid is not None:
        os.setgroups([])
    _unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _mount(request["job"], JOB, None, MS_BIND)
    _mount("tmpfs", JOBS, "tmpfs", MS_RDONLY, "size=4k")
    owner = os.getuid() if uid is None else uid
    group = os.getgid() if uid is None else uid
    options = f"size={limits['scratch_bytes']},nr_inodes=50000,mode=0700,uid={owner},gid={group}"
    _mount("tmpfs", SCRATCH, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for name, mode in (("work", 0o700), ("home", 0o700), ("tmp", 0o1777), ("shm", 0o1777)):
        os.mkdir(f"{SCRATCH}/{name}")
        os.chmod(f"{SCRATCH}/{name}", mode)
        os.chown(f"{SCRATCH}/{name}", owner, group)
    _mount(f"{SCRATCH}/shm", "/dev/shm", None, MS_BIND)
    terminals = "newinstance,ptmxmode=0666,mode=0600"
    _mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, terminals)
    for name in ("", *(f"/{device}" for device in DEVICES)):
        _remount_read_only("/dev" + name)  # the files: what is written to a device still arrives
    for path in request["kept_in_tmp"]:  # the libraries live below it
        os.makedirs(SCRATCH + path, exist_ok=True)
        _mount(path, SCRATCH + path, None, MS_BIND | MS_REC)
    _mount(f"{SCRATCH}/tmp", "/tmp", None, MS_BIND | MS_REC)
    os.chown(JOB, owner, group)
    if request.get("check"):  # binds no socket there
        _remount_read_only(JOB)

    bound, tell = os.pipe()
    mapped, tell_mapped = os.pipe()
    kernel = os.fork()
    if kernel == 0:
        os.close(bound)
        os.close(tell_mapped)
        try:
            _confined_kernel(request, tell, mapped)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.write(tell, f"{type(error).__name__}: {error}"[:2000].encode())
        os._exit(71)
    os.close(tell)
    os.close(mapped)
    answer = os.read(bound, 4096)
    if answer == b"map":
        _map_user(kernel, owner, group)
        os.write(tell_mapped, b"1")
        answer = os.read(bound, 1 << 16)
    os.close(tell_mapped)
    os.close(bound)
    if answer != b"ready" and not answer.startswith(b"{"):
        os.write(report, answer or b"the kernel ended while it started")
        os._exit(72)
    # The sockets are there and no student's line has run yet: from here on nothing can be put in
    # their place, so the trusted side cannot be led to a socket of somebody else.
    _remount_read_only(JOB)
    _give_up_rights(uid)
    _prctl(PR_SET_DUMPABLE, 0)  # the student's processes have the same uid, and may not look in

    def interrupt(number, frame):
        with contextlib.suppress(OSError):
            os.kill(kernel, signal.SIGINT)

    signal.signal(signal.SIGINT, interrupt)
    os.write(report, answer)
    os.close(report)
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == kernel:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _map_user(pid, uid, gid):
    """Say who the only user of process `pid`'s new user namespace is on this side of it."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{STUDENT} {uid} 1"),
        ("gid_map", f"{STUDENT} {gid} 1"),
    ):
        with open(f"/proc/{pid}/{name}", "w") as file:
            file.write(text)


def _confined_kernel(request, tell, mapped):
    limits, uid = request["limits"], request["uid"]
    _silence(keep=(tell, mapped))
    os.setsid()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    _set_limits(limits, own_uid=True)
    os.nice(5 - os.nice(0))
    try:
        _unshare(CLONE_NEWUSER)  # its rights reach no mount or network, its processes count anew
    except OSError:
        if uid is None:  # where root may not make one either, its own uid has to do
            raise
    else:
        os.write(tell, b"map")
        if os.read(mapped, 1) != b"1":
            os._exit(73)
        uid = STUDENT
        for name, most in USER_LIMITS.items():
            with contextlib.suppress(OSError), open(f"/proc/sys/user/max_{name}", "w") as file:
                file.write(most)
    os.close(mapped)
    _give_up_rights(uid)
    filtered = system_calls.install(libc)
    _prctl(PR_SET_DUMPABLE, 1)
    os.umask(0o022)
    os.chdir(f"{SCRATCH}/work")
    os.environ["TMPDIR"] = f"{SCRATCH}/tmp"
    if request.get("check"):
        os.write(tell, json.dumps({**self_check(limits), "seccomp": filtered}).encode())
        os._exit(0)
    run_kernel(request, lambda: (os.write(tell, b"ready"), os.close(tell)))


def self_check(limits):
    """What this process can see, reach and use up: the probe's evidence, taken from inside.

    Everything is tried, not asked for. `limits` should be small.
    """
    with open("/proc/self/status") as status:
        table = dict(line.split(":", 1) for line in status if ":" in line)
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    with open("/proc/self/mountinfo") as mounts:
        points = {_unescape(line.split()[4]) for line in mounts}
    places = points | {"/", "/etc", "/usr/bin", sys.prefix, os.path.dirname(os.__file__)}
    found = {
        "uid": os.getuid(),
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "capabilities": sum(int(table[name], 16) for name in names),
        "no_new_privs": table["NoNewPrivs"].strip() == "1",
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES},
        "user_namespaces": _can_make_user_namespace(),
        "writable": sorted(p for p in places if not _in_scratch(p) and _can_write(p)),
        "scratch": _can_write(f"{SCRATCH}/work"),
        "jobs": os.listdir(JOBS),
        "environment": sorted(os.environ),
        "descriptors": _open_files(),
    }
    with contextlib.suppress(OSError):
        os.utime("/dev/null")
        found["writable"].append("/dev/null")
    return {**found, **_use_up(limits)}


def _in_scratch(path):
    return path in (SCRATCH, "/tmp", "/dev/shm") or path.startswith(("/tmp/", "/dev/pts"))


def _can_write(path):
    with contextlib.suppress(OSError):
        if not os.path.isdir(path):
            # a device may be written to, which changes nothing; a file of /proc has a say itself
            return (
                os.path.isfile(path) and not path.startswith("/proc") and os.access(path, os.W_OK)
            )
        path = os.path.join(path, ".probe")
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        os.unlink(path)
        return True
    return False


def _can_make_user_namespace():
    if libc.unshare(CLONE_NEWUSER) == 0:
        return True
    numbers = {"x86_64": 56, "aarch64": 220}
    if platform.machine() not in numbers:
        return False
    child = libc.syscall(numbers[platform.machine()], CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    if child > 0:
        os.waitpid(child, 0)
    return child > 0


def _open_files():
    """What the descriptors lead to, but for nothing, pipes and what a kernel needs of its own."""
    names = set()
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            names.add(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sorted(n for n in names if n != os.devnull and not n.startswith(("pipe:", "/proc/")))


def _use_up(limits):
    """Whether each limit holds: use more than it allows and see."""
    held = dict.fromkeys(("memory", "processes", "file_size", "scratch_size", "cpu", "core"), False)
    with contextlib.suppress(OSError, ValueError):
        held["core"] = resource.getrlimit(resource.RLIMIT_CORE) == (1, 1)
        held["cpu"] = 0 < resource.getrlimit(resource.RLIMIT_CPU)[1] <= limits["total_cpu_s"]
    try:
        # without a reserve, so that it is the limit which refuses and not the machine's size
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
        mmap.mmap(-1, limits["memory_bytes"] + (2 << 30), flags=flags).close()
    except (OSError, ValueError, OverflowError):
        held["memory"] = True
    held["file_size"] = not _fill(f"{SCRATCH}/work/.large", 1, 2 * limits["file_bytes"])
    held["scratch_size"] = not _fill(f"{SCRATCH}/work/.many", 4, limits["scratch_bytes"] // 3)
    children = []
    wake, sleep = os.pipe()
    try:
        while len(children) <= limits["processes"]:
            child = os.fork()
            if child == 0:
                os.close(sleep)
                os.read(wake, 1)
                os._exit(0)
            children.append(child)
    except OSError:
        held["processes"] = True
    os.close(sleep)
    for child in children:
        os.waitpid(child, 0)
    os.close(wake)
    return {"held": held}


def _fill(path, files, size):
    """Write that many files of `size` bytes; whether all could be written."""
    try:
        for number in range(files):
            with open(f"{path}{number}", "wb", buffering=0) as file:
                block = bytes(1 << 16)
                while file.tell() < size:
                    if file.write(block) < len(block):
                        return False
    except OSError:
        return False
    finally:
        for number in range(files):
            with contextlib.suppress(OSError):
                os.unlink(f"{path}{number}")
    return True


# --- the kernel itself ---------------------------------------------------------------------------


def run_kernel(request, ready):
    """Start the stock IPython kernel in this process; returns when it has been told to stop."""
    import logging
    import random

    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    random.seed(request["seed"])
    for name, function in (("numpy", "random.seed"), ("torch", "manual_seed")):
        if name in sys.modules:
            target = sys.modules[name]
            for part in function.split("."):
                target = getattr(target, part)
            target(request["seed"])
    # These looked for a running IPython when they were imported, and have to look again.
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib_inline"]:
        del sys.modules[name]
    connection = request["connection"]

    class KernelApp(IPKernelApp):
        """The stock application without the files it would read and write."""

        name = "ipython-kernel"

        def load_config_file(self, *args, **kwargs):
            pass

        def init_connection_file(self):
            pass

        def write_connection_file(self, **kwargs):
            pass

        def cleanup_connection_file(self):
            pass

    config = Config()
    config.Session.key = connection["key"].encode()
    config.HistoryManager.enabled = False
    config.IPKernelApp.log_level = logging.CRITICAL
    ports = {name: value for name, value in connection.items() if name.endswith("_port")}
    app = KernelApp.instance(
        config=config, transport=connection["transport"], ip=connection["ip"], **ports
    )
    app.initialize([])
    gc.enable()
    ready()
    app.start()


def _plain_kernel(request, tell):
    """A kernel with what any platform offers: a process group of its own, limits, a scratch."""
    if hasattr(os, "setsid"):
        os.setsid()
    if LINUX:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _set_limits(request["limits"], own_uid=False)
    for name in ("work", "home", "tmp"):
        os.makedirs(os.path.join(request["job"], name), exist_ok=True)
    os.environ["HOME"] = os.path.join(request["job"], "home")
    os.environ["TMPDIR"] = os.environ["TEMP"] = os.environ["TMP"] = os.path.join(
        request["job"], "tmp"
    )
    os.chdir(os.path.join(request["job"], "work"))
    run_kernel(request, tell)


# --- the server ----------------------------------------------------------------------------------


EXCESS_S, EXCESS_TASKS = 0.5, 16


@dataclasses.dataclass
class Pace:
    """How fast a kernel has been computing: seconds of CPU time beyond one core's, and of what."""

    at: float
    cpu_s: float
    excess_s: float
    tasks: int  # processes and threads when it was young
    held: bool = False


class Server:
    """Holds the live kernels: id -> pid of the process whose end is the kernel's end."""

    def __init__(self, config):
        self.config = config
        if LINUX:
            cores = sorted(os.sched_getaffinity(0))
            self.core = {cores[config.get("number", 0) % len(cores)]}
        self.paces = {}
        self.kernels = {}
        self.exits = {}
        self.spawned = {}  # Popen objects, where there is no fork

    def answer(self, request):
        handler = getattr(self, "do_" + request["op"])
        try:
            return {"ok": True, **(handler(request) or {})}
        except Exception as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    def do_spawn(self, request):
        if not hasattr(os, "fork"):
            return self._spawn_program(request)
        bound, tell = os.pipe()
        pid = self._fork(request, bound, tell)
        os.close(tell)
        self.kernels[request["id"]] = pid
        answer = b""
        with open(bound, "rb", buffering=0) as pipe:
            if select.select([pipe], [], [], START_TIMEOUT_S)[0]:
                answer = pipe.read(1 << 16)
        if answer.startswith(b"{"):
            self.do_kill(request)
            return {"check": json.loads(answer)}
        if answer != b"ready":
            self.do_kill(request)
            raise RuntimeError(answer.decode("utf-8", "replace") or "no kernel came up")
        return None

    def _fork(self, request, bound, tell):
        """Fork the process whose end is the kernel's end; gives its pid."""
        inside = self.config["namespaces"]
        known, name = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(bound)
            try:
                if not inside:
                    _default_signals()
                    _silence(keep=(tell,))
                    _plain_kernel(request, lambda: (os.write(tell, b"ready"), os.close(tell)))
                    os._exit(0)
                # A new pid namespace begins with the next child. This process goes, and its child
                # becomes the server's, which takes orphans in; the server itself cannot go back to
                # its own namespace where bubblewrap has put it into a second user namespace.
                _unshare(CLONE_NEWPID)
                pid = os.fork()
                if pid:
                    os.write(name, str(pid).encode())
                    os._exit(0)
                init(request, tell)
            except BaseException as error:
                with contextlib.suppress(OSError):
                    os.write(tell, f"{type(error).__name__}: {error}"[:2000].encode())
            os._exit(70)
        os.close(name)
        pid = child
        if inside:
            os.waitpid(child, 0)
            pid = int(os.read(known, 20) or child)
        os.close(known)
        return pid

    def _spawn_program(self, request):
        command = [sys.executable, os.path.abspath(__file__), "--kernel", json.dumps(request)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if process.stdout.readline().strip() != b"ready":
            process.kill()
            raise RuntimeError("no kernel came up")
        self.spawned[request["id"]] = process
        return None

    def do_interrupt(self, request):
        if request["id"] in self.kernels and self._alive(request["id"]):
            os.kill(self.kernels[request["id"]], signal.SIGINT)

    def do_usage(self, request):
        name = request["id"]
        if name in self.spawned:
            return {"alive": self.spawned[name].poll() is None}
        if not self._alive(name):
            self.paces.pop(name, None)
            return {"alive": False, "exit": self.exits.get(name)}
        own_network = self.config["namespaces"]
        found = usage(self.kernels[name], request.get("precise_above"), own_network)
        if LINUX:
            self._hold_to_one_core(name, found)
        return {"alive": True, **found}

    def _hold_to_one_core(self, name, found):
        """Confine a kernel that uses more than one core to one: the others are its neighbors'.

        Its processes cannot leave again: the filter of their system calls answers that.
        """
        now, cpu = time.monotonic(), found["cpu_s"]
        pace = self.paces.setdefault(name, Pace(now, cpu, 0.0, found["tasks"]))
        pace.excess_s = max(0.0, pace.excess_s + (cpu - pace.cpu_s) - (now - pace.at))
        pace.at, pace.cpu_s = now, cpu
        if pace.excess_s > EXCESS_S or found["tasks"] > pace.tasks + EXCESS_TASKS:
            pace.held = True
        if pace.held:  # again at each look: a process may have been forked meanwhile
            for task in _tasks(self.kernels[name]):
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(task, self.core)

    def do_kill(self, request):
        name = request["id"]
        process = self.spawned.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()
            return
        if not self._alive(name):
            self.kernels.pop(name, None)
            self._kill_strays()
            return
        pid = self.kernels.pop(name)
        if not self.config["namespaces"]:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)  # the end of pid 1 is the end of all in its namespace
        self._kill_strays()

    def _kill_strays(self):
        """Without namespaces, what a kernel left behind has become the server's child."""
        if self.config["namespaces"] or not LINUX:
            return
        for _ in range(100):
            kept = set(self.kernels.values())
            children = [p for p, e in _processes().items() if e[0] == os.getpid() and p not in kept]
            if not children:
                return
            for pid in children:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.waitpid(pid, 0)

    def _alive(self, name):
        pid = self.kernels.get(name)
        if pid is None:
            return False
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            ended, status = pid, 0
        if ended:
            if not self.config["namespaces"]:
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)
            self.exits[name] = os.waitstatus_to_exitcode(status)
            del self.kernels[name]
            return False
        return True

    def close(self):
        for name in [*self.kernels, *self.spawned]:
            self.do_kill({"id": name})


def _processes():
    """pid -> (parent, CPU ticks with those of reaped children, resident pages, threads)."""
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
                ticks = sum(map(int, fields[11:15]))
                table[int(name)] = (int(fields[1]), ticks, int(fields[21]), int(fields[17]))
    return table


def _family(root, table):
    """`root` and all that descend from it, of a table of processes."""
    children = {}
    for pid, entry in table.items():
        children.setdefault(entry[0], []).append(pid)
    family, queue = [], [root]
    while queue:
        pid = queue.pop()
        if pid in table:
            family.append(pid)
        queue += children.get(pid, ())
    return family


def _tasks(root):
    """The threads of all processes that descend from `root`."""
    tasks = []
    for pid in _family(root, _processes()):
        if pid != root:
            with contextlib.suppress(OSError):
                tasks += map(int, os.listdir(f"/proc/{pid}/task"))
    return tasks


def usage(root, precise_above=None, own_network=True):
    """CPU seconds and memory of process `root` and all that descend from it (Linux; else nothing).

    Memory is the sum of resident sizes, which counts pages shared after a fork more than once;
    where that passes `precise_above` bytes it is counted again in proportional shares. What many
    sockets can hold, which belongs to no process, is added if they have a network of their own.
    """
    if not LINUX:
        return {}
    table = _processes()
    family = _family(root, table)
    page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    memory = sum(table[pid][2] for pid in family) * page
    if precise_above is not None and memory > precise_above:
        memory *= _share([pid for pid in family if table[pid][2]], table, page)
    if own_network:
        memory += max(0, _sockets(root) - FREE_SOCKETS) * SOCKET_BYTES
    return {
        "cpu_s": sum(table[pid][1] for pid in family) / tick,
        "memory_bytes": int(memory),
        "processes": len(family),
        "tasks": sum(table[pid][3] for pid in family),
        "delayed_s": sum(map(_delayed, family[:MAX_DELAYED])),
    }


FREE_SOCKETS, SOCKET_BYTES = 256, 2 * 212_992  # the largest buffer that may be asked for


MAX_DELAYED = 8


def _delayed(pid):
    """Seconds for which the first thread of `pid` was ready to run and another one ran."""
    try:
        with open(f"/proc/{pid}/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _sockets(pid):
    """How many sockets there are in the network namespace of `pid`."""
    try:
        with open(f"/proc/{pid}/net/sockstat") as file:
            return int(file.readline().split()[2])
    except (OSError, ValueError, IndexError):
        return 0


def _share(family, table, page, seconds=0.1):
    """Proportional over resident memory of `family`, measured on as many as there is time for."""
    until = time.monotonic() + seconds
    resident = proportional = 0
    for pid in sorted(family, key=lambda pid: -table[pid][2]):
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup") as file:
            share = next(line for line in file if line.startswith("Pss:"))
            proportional += int(share.split()[1]) * 1024
            resident += table[pid][2] * page
        if time.monotonic() > until:
            break
    return min(proportional / resident, 1.0) if resident else 1.0


def warm_up():
    """Import what notebooks import; a missing library is the notebook's problem, not ours.

    Gives the reason if what answers the grader's requests cannot be imported, which is ours.
    """
    try:
        for name in ("course_utils.checks.remote", "course_utils.checks.drivers"):
            importlib.import_module(name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    for name in WARM:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        package = importlib.import_module("course_utils")
        for module in pkgutil.walk_packages(package.__path__, "course_utils."):
            with contextlib.suppress(Exception):
                importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # a kernel's collector then leaves the shared pages alone
    return ""


def serve(config):
    if LINUX:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an import prints must not end up between the answers
    started = time.monotonic()
    reason = ""
    if config["warm"]:
        os.makedirs(os.environ["HOME"], exist_ok=True)
        reason = warm_up()
    threads = len(os.listdir("/proc/self/task")) if LINUX else 1
    with contextlib.suppress(OSError, AttributeError):
        os.nice(-10)  # a fork bomb must not keep us from ending it; only root may
    server = Server(config)
    reply = {"ok": True, "threads": threads, "warm_s": time.monotonic() - started}
    reply["course_utils"] = reason
    while True:
        answers.write(json.dumps(reply).encode() + b"\n")
        answers.flush()
        line = requests.readline()
        if not line:
            break
        reply = server.answer(json.loads(line))
    server.close()
    os._exit(0)  # taking down all that was imported would take longer than a kernel's start


def main():
    if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
        del sys.path[0]
    if sys.argv[1] == "--kernel":
        answers = os.fdopen(os.dup(1), "wb", buffering=0)
        _silence(keep=(answers.fileno(),))
        _plain_kernel(json.loads(sys.argv[2]), lambda: (answers.write(b"ready\n"), answers.close()))
        return
    config = json.loads(sys.argv[1])
    if config.get("root"):
        build_root(config["root"])
        importlib.invalidate_caches()  # nothing of the new tree was there when Python started
    serve(config)


if __name__ == "__main__":
    main()
