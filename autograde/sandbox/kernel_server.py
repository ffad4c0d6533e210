"""Forks confined Jupyter kernels from one warm process that has imported what notebooks need.

This file is run by path inside the sandbox, so it imports nothing of `autograde` but its neighbors
there: there is no `autograde` on that side of the wall. It obeys JSON lines on stdin and answers
each on stdout:

    {"op": "spawn", "id", "job", "uid", "limits", "connection", "seed"} -> {"ok": true}
    {"op": "interrupt", "id"}      SIGINT to the kernel alone
    {"op": "usage", "id"}          -> {"alive", "cpu_s", "memory_bytes", "processes"}
    {"op": "kill", "id"}           SIGKILL to every process the kernel has started

End of input ends the server and with it every kernel.

A confined kernel is two processes in pid, mount, network, ipc, uts and cgroup namespaces of its
own: a small init (pid 1: reaps orphans, passes SIGINT on, cannot be killed from inside) and the
stock IPython kernel, in a user namespace besides, which has given up every capability before it
could see a student's line (see confinement). The server must never compute or start a thread: a
fork of a multi-threaded process can hang.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import time

if __package__:
    from autograde.sandbox import confinement, metering
else:  # where these files are all there is
    import confinement
    import metering

LINUX = confinement.LINUX
START_TIMEOUT_S = 60
WARM = (
    *("numpy", "numpy.testing", "PIL.Image", "PIL.PngImagePlugin", "tqdm", "tqdm.auto"),
    *("matplotlib", "matplotlib.pyplot", "matplotlib.figure", "matplotlib.backends.backend_agg"),
    # constructing an optimizer imports torch._dynamo, which takes a second
    *("torch", "torch._dynamo", "torch.nn.functional", "torch.optim", "torch.distributions"),
    *("gymnasium", "gymnasium.vector", "gymnasium.wrappers"),
    *("gymnasium.envs.classic_control.cartpole", "gymnasium.envs.box2d.lunar_lander"),
    *("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.debugger"),
    *("ipykernel.comm.manager", "IPython.display", "IPython.core.completerlib"),
    *("ipywidgets", "anywidget"),
)


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
        confinement.prctl(confinement.PR_SET_PDEATHSIG, signal.SIGKILL)
        confinement.prctl(confinement.PR_SET_NO_NEW_PRIVS, 1)
    confinement.set_limits(request["limits"], own_uid=False)
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
                    confinement.default_signals()
                    confinement.silence(keep=(tell,))
                    _plain_kernel(request, lambda: (os.write(tell, b"ready"), os.close(tell)))
                    os._exit(0)
                # A new pid namespace begins with the next child. This process goes, and its child
                # becomes the server's, which takes orphans in; the server itself cannot go back to
                # its own namespace where bubblewrap has put it into a second user namespace.
                confinement.unshare(confinement.CLONE_NEWPID)
                pid = os.fork()
                if pid:
                    os.write(name, str(pid).encode())
                    os._exit(0)
                confinement.init(request, tell, run_kernel)
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
        found = metering.usage(self.kernels[name], request.get("precise_above"), own_network)
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
            for task in metering.tasks(self.kernels[name]):
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
            children = [
                p for p, e in metering.processes().items() if e[0] == os.getpid() and p not in kept
            ]
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
    with contextlib.suppress(Exception):
        visible = importlib.import_module("course_utils.checks.visible")
        for lab in visible.labs():
            visible.stored(lab)  # a megabyte of JSON, which every notebook's first check reads
    gc.collect()
    gc.freeze()  # a kernel's collector then leaves the shared pages alone
    return ""


def serve(config):
    if LINUX:
        confinement.prctl(confinement.PR_SET_CHILD_SUBREAPER, 1)
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
    try:
        while True:
            answers.write(json.dumps(reply).encode() + b"\n")
            answers.flush()
            line = requests.readline()
            if not line:
                break
            reply = server.answer(json.loads(line))
    except BrokenPipeError:
        pass  # whoever asked was killed while this was answering
    finally:
        server.close()
    os._exit(0)  # taking down all that was imported would take longer than a kernel's start


def main():
    if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
        del sys.path[0]
    if sys.argv[1] == "--kernel":
        answers = os.fdopen(os.dup(1), "wb", buffering=0)
        confinement.silence(keep=(answers.fileno(),))
        _plain_kernel(json.loads(sys.argv[2]), lambda: (answers.write(b"ready\n"), answers.close()))
        return
    config = json.loads(sys.argv[1])
    if config.get("root"):
        confinement.build_root(config["root"])
        importlib.invalidate_caches()  # nothing of the new tree was there when Python started
    serve(config)


if __name__ == "__main__":
    main()
