"""Builds the walls around one kernel from inside: its file tree, its rights, its limits.

Run by path beside kernel_server.py inside the sandbox: imports nothing of `autograde` but its
neighbors.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import struct
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None
if __package__:
    from autograde.sandbox import self_check, system_calls
else:  # where these files are all there is
    import self_check
    import system_calls

LINUX = sys.platform.startswith("linux")
SCRATCH, JOB, JOBS = "/scratch", "/job", "/run/jobs"
STUDENT = 1000  # the user inside, whoever it is outside
USER_LIMITS = {
    **{
        f"{name}_namespaces": "0"
        for name in ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup", "time")
    },
    "inotify_instances": "64",  # would else come out of the instructor's own
    "inotify_watches": "8192",
}
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

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


def unshare(flags):
    _check(libc.unshare(flags), f"unshare {flags:#x}")


def prctl(option, *arguments):
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
            elif operation == "hide":
                _mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4k")
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
        prctl(PR_CAPBSET_DROP, capability)  # fails past the last one
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    if uid is not None:
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("=Ii", 0x20080522, 0)
    _check(libc.capset(header, bytes(24)), "capset")
    _check(prctl(PR_SET_NO_NEW_PRIVS, 1), "no_new_privs")


def _limit(name, value):
    if resource is None or not hasattr(resource, name) or value is None:
        return
    number = getattr(resource, name)
    _, hard = resource.getrlimit(number)
    value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
    with contextlib.suppress(OSError, ValueError):  # macOS knows some limits by name only
        resource.setrlimit(number, (value, value))


def set_limits(limits, own_uid):
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


def silence(keep=()):
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


def default_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)


# --- a confined kernel ---------------------------------------------------------------------------


def init(request, report, run_kernel):
    """Be pid 1 of a kernel's namespaces: confine, fork the kernel, reap until it has ended."""
    limits, uid = request["limits"], request["uid"]
    default_signals()
    silence(keep=(report,))
    os.umask(0o022)  # whatever the instructor's
    if uid is not None:
        os.setgroups([])
    unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
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
            _confined_kernel(request, tell, mapped, run_kernel)
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
    # After a change of the user, which clears it: where the server is killed, its kernels end too.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_DUMPABLE, 0)  # the student's processes have the same uid, and may not look in

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


def _confined_kernel(request, tell, mapped, run_kernel):
    limits, uid = request["limits"], request["uid"]
    silence(keep=(tell, mapped))
    os.setsid()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    set_limits(limits, own_uid=True)
    os.nice(5 - os.nice(0))
    try:
        unshare(CLONE_NEWUSER)  # its rights reach no mount or network, its processes count anew
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
    prctl(PR_SET_DUMPABLE, 1)
    os.umask(0o022)
    os.chdir(f"{SCRATCH}/work")
    os.environ["TMPDIR"] = f"{SCRATCH}/tmp"
    if request.get("check"):
        os.write(tell, json.dumps({**self_check.look(limits, libc), "seccomp": filtered}).encode())
        os._exit(0)
    run_kernel(request, lambda: (os.write(tell, b"ready"), os.close(tell)))
