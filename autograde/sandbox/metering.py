"""Measures what a kernel's processes use, from outside: CPU time, memory, processes, sockets.

Run by path beside kernel_server.py inside the sandbox: imports nothing of `autograde`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

LINUX = sys.platform.startswith("linux")
FREE_SOCKETS, SOCKET_BYTES = 256, 2 * 212_992  # the largest buffer that may be asked for
MAX_DELAYED = 8  # processes, the oldest ones first


def processes():
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


def tasks(root):
    """The threads of all processes that descend from `root`."""
    tasks = []
    for pid in _family(root, processes()):
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
    table = processes()
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
