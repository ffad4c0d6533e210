"""Finds out, by trying, which wall this machine can build and what it keeps out."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from typing import Any

from autograde.sandbox.launcher import (
    WALLS,
    KernelServer,
    SandboxError,
    SandboxUnavailable,
    environment,
)

LINUX = sys.platform.startswith("linux")


@dataclass(frozen=True)
class Protections:
    """What stands between a student's code and the machine; each field: is it there?"""

    wall: str
    works: bool
    network: bool = False  # no interface leads anywhere
    filesystem: bool = False  # sees only libraries, writes only to a scratch of its own
    pids: bool = False  # sees and signals only its own processes
    ipc: bool = False  # no shared memory or queues with others
    user: bool = False  # runs without the grader's rights, and cannot gain any
    environment: bool = False  # nothing of the grader's variables and open files
    system_calls: bool = False  # the kernel's riskier doors are shut
    memory: bool = False
    cpu: bool = False
    processes: bool = False  # a fork bomb is bounded
    file_size: bool = False
    scratch_size: bool = False  # the scratch cannot fill a disk
    core_dumps: bool = False  # a crash writes nothing anywhere
    why_not: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        if not self.works:
            return f"{self.wall}: not available ({self.why_not})"
        flags = {name: value for name, value in asdict(self).items() if isinstance(value, bool)}
        del flags["works"]
        off = [name.replace("_", " ") for name, value in flags.items() if not value]
        on = [name.replace("_", " ") for name, value in flags.items() if value]
        text = f"{self.wall}: protects {', '.join(on) or 'nothing'}"
        return text + (f"; NOT protected: {', '.join(off)}" if off else "")


@functools.cache
def probe(wall: str) -> Protections:
    """Build `wall` ("bwrap", "unshare", "none") and look at it from inside. Takes 0.3 s."""
    if wall == "none":
        posix = os.name == "posix"
        return Protections("none", True, memory=LINUX, cpu=LINUX, file_size=posix, core_dumps=posix)
    if not LINUX or shutil.which(wall) is None:
        return Protections(wall, False, why_not=f"there is no {wall} on this machine")
    try:
        server = KernelServer(wall, warm=False, start_timeout=30)
        try:
            seen = server.check()
        finally:
            server.close()
    except (SandboxError, OSError) as error:
        return Protections(wall, False, why_not=str(error).splitlines()[-1][:200])
    return judged(wall, seen, namespaces())


def judged(wall: str, seen: dict[str, Any], outside: dict[str, str]) -> Protections:
    """What the evidence `seen` from inside shows, beside this process's own namespaces."""
    inside, held = seen["namespaces"], seen["held"]
    apart = {name for name in inside if inside[name] != outside.get(name)}
    rights = seen["capabilities"] == 0 and seen["no_new_privs"] and seen["uid"] != 0
    allowed = {*environment("", []), "TMPDIR", "PWD", "LC_CTYPE"}
    found = {
        "network": "net" in apart and set(seen["interfaces"]) <= {"lo"},
        "filesystem": (
            "mnt" in apart and not seen["writable"] and seen["scratch"] and not seen["jobs"]
        ),
        "pids": "pid" in apart and seen["processes"] == 2,
        "ipc": {"ipc", "uts"} <= apart,
        "user": rights and not seen["user_namespaces"],
        "environment": set(seen["environment"]) <= allowed and not seen["descriptors"],
    }
    works = all(found.values())
    return Protections(
        wall,
        works,
        **found,
        system_calls=seen["seccomp"],
        memory=held["memory"],
        cpu=held["cpu"],
        processes=held["processes"],
        file_size=held["file_size"],
        scratch_size=held["scratch_size"],
        core_dumps=held["core"],
        why_not="" if works else f"it leaks: {seen}",
    )


def namespaces() -> dict[str, str]:
    """The namespaces of this process, by name."""
    found = {}
    for name in os.listdir("/proc/self/ns"):
        with contextlib.suppress(OSError):
            found[name] = os.readlink(f"/proc/self/ns/{name}")
    return found


def choose(sandbox: str = "auto") -> str:
    """The wall to use. Raises SandboxUnavailable where what was asked does not work."""
    if sandbox == "none":
        return "none"
    if sandbox != "auto" and sandbox not in WALLS:
        raise ValueError(f"sandbox must be auto, {', '.join(WALLS)}; not {sandbox!r}")
    tried = [probe(wall) for wall in (WALLS[:-1] if sandbox == "auto" else (sandbox,))]
    for found in tried:
        if found.works:
            return found.wall
    reasons = "; ".join(f"{found.wall}: {found.why_not}" for found in tried)
    raise SandboxUnavailable(
        f"Students' code cannot be isolated on this machine ({reasons}). On Linux, install "
        "bubblewrap and allow user namespaces. To run it with this account's rights, with limits "
        "on time and memory only, pass --unsandboxed."
    )
