"""Looks at a confined process from inside: the probe's evidence, found by trying.

Run by path beside kernel_server.py inside the sandbox: imports nothing of `autograde`.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import platform
import signal
import socket
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None

NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
CLONE_NEWUSER = 0x10000000
CLONE = {"x86_64": 56, "aarch64": 220}


def look(limits, libc):
    """What this process can see, reach and use up: the probe's evidence, taken from inside.

    Everything is tried, not asked for. `limits` should be small.
    """
    with open("/proc/self/status") as status:
        table = dict(line.split(":", 1) for line in status if ":" in line)
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    with open("/proc/self/mountinfo") as mounts:
        points = {line.split()[4].replace("\\040", " ") for line in mounts}
    places = points | {"/", "/etc", "/usr/bin", sys.prefix, os.path.dirname(os.__file__)}
    found = {
        "uid": os.getuid(),
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "capabilities": sum(int(table[name], 16) for name in names),
        "no_new_privs": table["NoNewPrivs"].strip() == "1",
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES},
        "user_namespaces": _can_make_user_namespace(libc),
        "writable": sorted(p for p in places if not _in_scratch(p) and _can_write(p)),
        "scratch": _can_write("/scratch/work"),
        "jobs": os.listdir("/run/jobs"),
        "environment": sorted(os.environ),
        "descriptors": _open_files(),
    }
    with contextlib.suppress(OSError):
        os.utime("/dev/null")
        found["writable"].append("/dev/null")
    return {**found, **_use_up(limits)}


def _in_scratch(path):
    return path in ("/scratch", "/tmp", "/dev/shm") or path.startswith(("/tmp/", "/dev/pts"))


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


def _can_make_user_namespace(libc):
    if libc.unshare(CLONE_NEWUSER) == 0:
        return True
    if platform.machine() not in CLONE:
        return False
    child = libc.syscall(CLONE[platform.machine()], CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
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
    held["file_size"] = not _fill("/scratch/work/.large", 1, 2 * limits["file_bytes"])
    held["scratch_size"] = not _fill("/scratch/work/.many", 4, limits["scratch_bytes"] // 3)
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
