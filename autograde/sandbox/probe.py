"""Finds out, by trying, which wall this machine can build and what it keeps out."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from typing import Any

from autograde.sandbox.launcher import WALLS, KernelServer, SandboxError, SandboxUnavailable

LINUX = sys.platform.startswith("linux")


@dataclass(frozen=True)
class Protections:
    """What stands between a student's code and the machine; each field: is it there?"""

    wall: str
    works: bool
    network: bool = False  # no interface leads anywhere
    filesystem: bool = False  # sees only libraries, writes only to a scratch of its own
    pids: bool = False  # sees and signals only its own processes
    user: bool = False  # runs without the grader's rights
    system_calls: bool = False  # the kernel's riskier doors are shut
    memory: bool = False
    cpu: bool = False
    processes: bool = False  # a fork bomb is bounded
    file_size: bool = False
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
    """Build `wall` ("bwrap", "unshare", "none") and look at it from inside. Takes 0.1 s."""
    if wall == "none":
        posix = os.name == "posix"
        return Protections("none", True, memory=LINUX, cpu=LINUX, file_size=posix)
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
    filesystem = not seen["writable"] and seen["scratch"] and not seen["jobs"]
    user = seen["capabilities"] == 0 and not seen["user_namespaces"]
    network = set(seen["interfaces"]) <= {"lo"}
    pids = seen["processes"] == 2
    return Protections(
        wall,
        works=filesystem and user and network and pids,
        network=network,
        filesystem=filesystem,
        pids=pids,
        user=user,
        system_calls=seen["seccomp"],
        memory=True,
        cpu=True,
        processes=user,
        file_size=True,
        why_not="" if filesystem and user and network and pids else f"it leaks: {seen}",
    )


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
