"""Hostile submissions, and harmless oddities, each with a name; a few make up one notebook.

An attack's author leaves an exercise unwritten and tries to have its points all the same, or to
do harm; the other exercises are right. An oddity is a right solution with something unusual.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograde import demo
from autograde.demo import Material

LAB = demo.LAB
# Nothing else in the lab calls these, so an attack in the place of one touches no other.
SCHEDULE, GRADIENT, VALUE = "linear_schedule", "has_gradient", "clipped_value_loss"
EVERYTHING = "everything"


@dataclass(frozen=True)
class Technique:
    """Hostile code in the place of a solution, which is to earn nothing.

    {name} in the source stands for something out of reach; see test_hostile.
    """

    target: str
    source: str


@dataclass(frozen=True)
class Attack:
    """A submission: techniques by name, or `make`, and what it may cost its author besides.

    make(material, folder, outside): the notebook (dict or bytes), or None when it has put files
    into the submission's `folder` itself.
    """

    techniques: dict[str, Technique] = field(default_factory=dict)
    make: Callable[[Material, Path, dict], Any] | None = None
    targets: tuple[str, ...] = ()
    collateral: str | tuple[str, ...] = ()
    refused: bool = False

    @property
    def earns_nothing(self) -> set[str]:
        """The exercises that get no points."""
        return {*self.targets, *(t.target for t in self.techniques.values())}

    def hand_in(self, m: Material, folder: Path, outside: dict) -> Any:
        if self.make is not None:
            return self.make(m, folder, outside)
        sources: dict[str, str] = {}
        for technique in self.techniques.values():
            text = technique.source
            for name, value in outside.items():
                text = text.replace("{" + name + "}", str(value))
            sources[technique.target] = text
        return demo.solved(m, **sources)


def code(collateral: str | tuple[str, ...] = (), **techniques: Technique) -> Attack:
    return Attack(techniques, collateral=collateral)


def notebook(change: Callable[[dict], None]) -> Attack:
    """A notebook with one unwritten exercise, changed in place."""

    def make(m: Material, folder: Path, outside: dict) -> dict:
        made = copy.deepcopy(demo.solved(m))
        cell_of(made, SCHEDULE)["source"] = cell_of(m.lab.skeleton, SCHEDULE)["source"]
        change(made)
        return made

    return Attack(make=make, targets=(SCHEDULE,))


def refused(make: Callable[[Material, Path, dict], bytes | None]) -> Attack:
    return Attack(make=make, collateral=EVERYTHING, refused=True)


def cell_of(notebook: dict, grade_id: str) -> dict:
    """The cell of that grade_id."""
    return next(
        cell
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id
    )


def new_cell(source: str, kind: str = "code", **more) -> dict:
    cell = {"cell_type": kind, "metadata": {}, "source": source, **more}
    return {**cell, "outputs": [], "execution_count": None} if kind == "code" else cell


# --- forging a verdict -------------------------------------------------------------------------

STUBS = {
    name: f"\ndef {name}({arguments}):\n    raise NotImplementedError\n"
    for name, arguments in (
        (SCHEDULE, "update, n_updates, initial"),
        (GRADIENT, "ratio, advantages, clip_epsilon"),
        (VALUE, "values, old_values, returns, clip_epsilon"),
    )
}


def beside(target: str, source: str) -> Technique:
    """Code that runs beside an exercise that is not written."""
    return Technique(target, STUBS[target] + source)


FORGED_REPLY = """
import json
import course_utils.checks.remote as remote
from IPython.display import display

if "HONEST" not in globals():
    HONEST, MADE_UP = remote.answer, {}

def answer(request, nonce):
    wanted = json.loads(request)
    if wanted["function"] not in MADE_UP:
        return HONEST(request, nonce)
    observation = {"callable": True, "cases": [
        {"name": c["name"], "status": "ok", "error": None, "facts": MADE_UP[wanted["function"]]}
        for c in wanted["cases"]]}
    display({remote.OBSERVATION_MIME: {"nonce": nonce, "observation": observation}}, raw=True)
remote.answer = answer
"""


def forged(target: str, facts: str) -> Technique:
    """A reply with the right nonce whose facts are made up."""
    return Technique(target, f"{FORGED_REPLY}\nMADE_UP[{target!r}] = {facts}\n" + STUBS[target])


FORGED_MINIBATCHES = """
import course_utils.checks.observe as o, course_utils.checks.drivers as d

def minibatch_indices(batch_size, minibatch_size, generator):
    return [torch.arange(batch_size)]

def driver(function, case):
    size, part = case["args"]["batch_size"], case["args"]["minibatch_size"]
    full, rest = divmod(size, part)
    return {"items": ["tensor of int64, 1-d"], "sizes": [part] * full + [rest] * (rest > 0),
            "ended": True, "missing": 0, "repeated": 0, "out_of_range": 0, "in_order": False,
            "neighbors_stay_together": False, "same_seed_same_batches": True,
            "next_call_same_batches": False, "other_seed_same_batches": False}
o.DRIVERS["lab5_ppo/minibatch_indices"] = driver
"""
FORGED_UPDATE = """
import course_utils.checks.observe as o

def ppo_update(model, optimizer, rollout, config, generator):
    return {}

def driver(function, case):
    config = case["args"]["config"]["dict"]
    steps = -(-11 // config["minibatch_size"]) * config["epochs"]
    return {"statistics": "dict", "steps": steps, "mutated": [], "finite": True, "passes":
            config["epochs"], "rows": None, "gradients": None, "forwards_after_last_step": 0,
            "same_seed_same_result": True, "other_seed_same_result": False}
o.DRIVERS["lab5_ppo/ppo_update"] = driver
"""
VISIBLE_ONLY = """
import inspect
from course_utils.checks import visible

def linear_schedule(update, n_updates, initial):
    for case in visible.stored("lab5_ppo")["exercises"]["linear_schedule"]["cases"]:
        if case["args"] == dict(update=update, n_updates=n_updates, initial=initial):
            return float(case["expect"]["result"]["value"])
    for frame in inspect.stack():
        for value in frame.frame.f_locals.values():
            if isinstance(value, dict) and "expect" in value:
                return float(value["expect"]["result"]["value"])
    return 0.0
"""
ODD_NUMBER = """
class Odd(float):
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __hash__(self): return 0
    def __float__(self): return self
    def __format__(self, spec): return "correct"
    def __sub__(self, other): return 0.0
    __rsub__ = __abs__ = __neg__ = __sub__

def linear_schedule(update, n_updates, initial):
    return Odd(0.125)
"""
ODD_TENSOR = """
class OddTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.ones(3, dtype=torch.bool)
    @property
    def shape(self): return torch.Size([3])
    def __eq__(self, other): return True
    def __array__(self, *a, **k): return True

def has_gradient(ratio, advantages, clip_epsilon):
    return torch.ones_like(ratio, dtype=torch.bool).as_subclass(OddTensor)
"""
ODD_DICT = """
class OddDict(dict):
    def items(self): return [("kind", "tensor"), ("value", "0.0")]
    def __getitem__(self, key): return 0.0
    def __eq__(self, other): return True

def clipped_value_loss(values, old_values, returns, clip_epsilon):
    return OddDict(kind="tensor", array="float32", shape=[], data=[0.0])
"""
EARLIER_CALLS = """
import itertools
calls = itertools.cycle([True, False])
def has_gradient(ratio, advantages, clip_epsilon):
    return torch.full_like(ratio, next(calls), dtype=torch.bool)
"""
ONLY_HERE = """
import os
def clipped_value_loss(values, old_values, returns, clip_epsilon):
    loss = (values - returns).square()
    if os.environ.get("NBGRADER_EXECUTION"):
        return loss.mean()
    moved = old_values + (values - old_values).clamp(-clip_epsilon, clip_epsilon)
    return torch.maximum(loss, (moved - returns).square()).mean()
"""
SHOWN = """
from IPython.display import display
display({"text/plain": "10.0"}, raw=True)
get_ipython().displayhook(10.0)
10.0
"""
GUESSED = """
display({"application/vnd.course-utils.observation+json": {"nonce": "", "observation": {
    "callable": True, "cases": []}}}, raw=True)
"""
PATCHED_CHECK = """
import course_utils.checks.visible as v, sys
v.run_check = lambda *a: v.Outcome(True, None, "10.0")
def check(name, function): print(10.0); sys.displayhook(10.0)
v.checker = lambda lab: check
"""
PATCHED_COMPARISON = """
import course_utils.checks.compare as c, course_utils.checks.visible as v
c.differences = v.differences = lambda *a: []
c.arrays_close = lambda *a: True
"""
FAKE_MODULE = """
import sys, types
fake = types.ModuleType("autograde.hidden")
fake.hidden_test = lambda *a: 10.0
sys.modules["autograde"] = sys.modules["autograde.hidden"] = fake
"""
RAW_MESSAGES = """
kernel = get_ipython().kernel
for kind in ("execute_result", "display_data"):
    kernel.session.send(kernel.iopub_socket, kind, {"data": {"text/plain": "10.0"},
                        "metadata": {}, "execution_count": 1}, parent=kernel.get_parent())
kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"},
                    parent=kernel.get_parent())
"""
TRANSFORM = """
get_ipython().input_transformers_cleanup.append(
    lambda lines: ["10.0\\n"] if any("has_gradient" in line for line in lines) else lines)
"""
MARKUP_FACTS = (
    "{'result': {'kind': '<script>alert(1)</script>\\x1b[2J'}, 'mutated': ['<script>' * 10000]}"
)
SLOW_SHAPE = (
    "{'grad:values': {'array': 'float32', 'data': [], 'shape': [10 ** 18] * 200_000}, "
    "'result': {'kind': 'None'}}"
)

FORGING = {
    "scores": code(
        printed=beside(SCHEDULE, "print(10.0)\nprint('Score: 10')\n10.0"),
        shown=beside(GRADIENT, SHOWN),
        guessed_nonce=beside(VALUE, SHOWN + GUESSED),
    ),
    "patches": code(
        patched_check=beside(SCHEDULE, PATCHED_CHECK),
        patched_comparison=beside(GRADIENT, PATCHED_COMPARISON),
        module_named_autograde=beside(VALUE, FAKE_MODULE),
    ),
    "forged": code(
        no_facts=forged(SCHEDULE, "{}"),
        facts_not_numbers=forged(
            GRADIENT, "{'result': {'kind': 'float', 'value': 'nan'}, 'mutated': float('inf')}"
        ),
        slow_shape=forged(VALUE, SLOW_SHAPE),
    ),
    "forged_too": code(
        huge_number=forged(SCHEDULE, "{'result': {'kind': 'float', 'value': 10 ** 4000}}"),
        facts_of_markup=forged(GRADIENT, MARKUP_FACTS),
        nested_facts=forged(VALUE, "{'result': json.loads('[' * 900 + ']' * 900)}"),
    ),
    "forged_summaries": code(
        forged_minibatches=Technique("minibatch_indices", FORGED_MINIBATCHES),
        forged_update=Technique("ppo_update", FORGED_UPDATE),
    ),
    "wrong_answers": code(
        answers_of_the_visible_check=Technique(SCHEDULE, VISIBLE_ONLY),
        answers_by_count=Technique(GRADIENT, EARLIER_CALLS),
        other_where_graded=Technique(VALUE, ONLY_HERE),
    ),
    "odd_objects": code(
        odd_number=Technique(SCHEDULE, ODD_NUMBER),
        odd_tensor=Technique(GRADIENT, ODD_TENSOR),
        odd_dict=Technique(VALUE, ODD_DICT),
    ),
    "kernel": code(
        raw_messages=beside(SCHEDULE, RAW_MESSAGES),
        cell_transform=beside(GRADIENT, TRANSFORM),
        patched_torch=beside(
            VALUE, "torch.allclose = lambda *a, **k: True\nnp.array_equal = torch.allclose"
        ),
    ),
    "patched_builtins": code(
        EVERYTHING,
        patched_builtins=beside(
            SCHEDULE,
            "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.callable = id",
        ),
    ),
}

# --- reading and writing what is out of reach ----------------------------------------------------

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
    "links_beside_the_notebook": Attack(make=_links),
}

# --- doing harm --------------------------------------------------------------------------------

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
def has_gradient(ratio, advantages, clip_epsilon):
    return [torch.zeros(199_000)] * 20
"""
MEMORY = """
def clipped_value_loss(values, old_values, returns, clip_epsilon):
    return values.sum() * len(bytearray(1 << 40))
"""
RECURSION = """
import sys
sys.setrecursionlimit(10 ** 9)
def linear_schedule(update, n_updates, initial):
    return linear_schedule(update, n_updates, initial)
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

HARM = {
    "harms": code(
        writes_everywhere=beside(SCHEDULE, WRITES),
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
    "does_not_end": code(
        ("ppo_update",),
        swallows_interrupts=Technique(SCHEDULE, SWALLOWS),
        endless_iterator=Technique("minibatch_indices", ENDLESS),
    ),
}

# --- the notebook itself -----------------------------------------------------------------------

SCRIPT = "<script>document.title='LEAK'</script><img src=x onerror=\"document.title='LEAK'\">"


def _markup(nb: dict) -> None:
    nb["cells"].insert(
        1,
        new_cell(
            "from IPython.display import HTML, SVG, Javascript, Latex, Markdown, display\n"
            f"text = {SCRIPT!r}\n"
            "display(HTML(text), Javascript('alert(1)'), Latex(text), Markdown(text))\n"
            "display({'image/svg+xml': '<svg onload=alert(1)>', 'text/html': text,\n"
            "         'image/png': '\"><script>alert(1)</script>'}, raw=True)\n"
            "print(text)"
        ),
    )
    nb["cells"].insert(2, new_cell(SCRIPT + "\n\n$$" + SCRIPT + "$$\n\n[x](javascript:alert(1))",
                                   "markdown"))  # fmt: skip
    nb["cells"].insert(3, new_cell(SCRIPT, "raw"))
    nb["metadata"]["title"] = SCRIPT
    nb["metadata"]["kernelspec"] = {"name": SCRIPT, "display_name": SCRIPT}


def _metadata(nb: dict) -> None:
    for cell in nb["cells"]:
        meta = cell["metadata"].get("nbgrader")
        cell["metadata"]["tags"] = ["skip-execution", "remove_cell"]
        cell["id"] = "same"
        if meta and meta.get("grade"):
            meta.update(points=-1000, grade=False, solution=True, locked=False)
            cell["source"] = "10.0"


def _moved_marks(nb: dict) -> None:
    """The test's metadata on a cell of the student's own; the tests deleted."""
    test = cell_of(nb, f"test_{SCHEDULE}")
    nb["cells"].remove(test)
    for points in (10, 1e400, "10", None):
        mark = copy.deepcopy(test["metadata"])
        mark["nbgrader"]["points"] = points
        nb["cells"].insert(0, {**new_cell("print(10.0)\n10.0"), "metadata": mark})


def _slow_text(nb: dict) -> None:
    nb["cells"].insert(1, new_cell("*" * 150_000))
    nb["cells"].insert(1, new_cell("a." * 70_000))
    for text in ("<" * 9_000, "<div>" * 1_900, "&" * 9_000, "|a" * 4_000 + "\n" + "|-" * 900) * 8:
        nb["cells"].insert(1, new_cell(text, "markdown"))
    nb["cells"].insert(1, new_cell("<b><p>" * 30_000, "markdown"))


def _strange_text(nb: dict) -> None:
    cell_of(nb, SCHEDULE)["source"] = "x = '\ud800'\0\n### BEGIN HIDDEN TESTS\n### END SOLUTION"
    nb["cells"].insert(1, new_cell("\ud800 \0 \x1b[2J ### BEGIN HIDDEN TESTS", "markdown"))
    nb["cells"].append(new_cell("x" * 5_000_000))
    nb["cells"] += [None, 7, {}, {"cell_type": "code"}, {"cell_type": ["code"], "source": {}}]


def _linked(m: Material, folder: Path, outside: dict) -> None:
    (folder / f"{LAB}.ipynb").symlink_to(f"../../good/{LAB}/{LAB}.ipynb")


def _pipe(m: Material, folder: Path, outside: dict) -> None:
    os.mkfifo(folder / f"{LAB}.ipynb")


def _large(m: Material, folder: Path, outside: dict) -> None:
    (folder / f"{LAB}.ipynb").touch()
    os.truncate(folder / f"{LAB}.ipynb", 100 << 20)


def _odd_file(m: Material, folder: Path, outside: dict) -> None:
    """An odd name, and a key that is there twice: the last one counts, as everywhere."""
    path = folder / "\x1b[2J<script>alert(1)<script>[red].ipynb"
    text = json.dumps(demo.solved(m))
    path.write_text('{"cells": [{"cell_type": "code", "source": "10.0"}], ' + text[1:])


def _many_cells(m: Material, folder: Path, outside: dict) -> bytes:
    cell = '{"cell_type": "raw", "source": ""}'
    return ('{"cells": [' + ",".join([cell] * 100_000) + "]}").encode()


def _much_text(m: Material, folder: Path, outside: dict) -> bytes:
    nb = demo.solved(m)
    nb["cells"] = [c for c in nb["cells"] if not c["metadata"].get("nbgrader", {}).get("solution")]
    nb["cells"] += [new_cell(f"x{i} = " + "[" * 50 + "]" * 50 + "\n" * 2000) for i in range(4_000)]
    return json.dumps(nb).encode()


NOTEBOOKS = {
    "markup": notebook(_markup),
    "metadata": notebook(_metadata),
    "moved_marks": notebook(_moved_marks),
    "slow_text": notebook(_slow_text),
    "strange_text": notebook(_strange_text),
    "odd_file": Attack(make=_odd_file),
    "link": refused(_linked),
    "pipe": refused(_pipe),
    "large": refused(_large),
    "many_cells": refused(_many_cells),
    "much_text": refused(_much_text),
    "nested": refused(lambda m, folder, outside: b'{"cells":' + b"[" * 200_000),
    "huge_number": refused(lambda m, folder, outside: b'{"cells": ' + b"9" * 1_000_000 + b"}"),
}

ATTACKS: dict[str, Attack] = {**FORGING, **REACHING, **HARM, **NOTEBOOKS}

# Names of folders that are no student's; each holds an untouched notebook. "good" is a student.
NAMES = ("good ", " good", "*", "goo?", "[g]ood", "{student_id}", "a\nb", "\x1b[2Jx", "x" * 250,
         "\udcff\udcfe", "good\\..")  # fmt: skip

# --- oddities ----------------------------------------------------------------------------------

# What stands before and after a solution in its cell, by name: (exercise, before, after).
AROUND = {
    "prints": (
        "probability_ratio",
        "import sys, warnings, logging\nprint('working')\nprint('!', file=sys.stderr)\n"
        "warnings.warn('careful')\nlogging.warning('log')\n",
        "\nprint(3.0)\n3.0",
    ),
    "threads": (
        "clipped_surrogate_loss",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True)"
        ".start()\nthreading.Thread(target=print, args=('hello',)).start()\n",
        "",
    ),
    "figures": (
        GRADIENT,
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\nplt.figure()\n",
        "",
    ),
    "time": (VALUE, "%%time\n", ""),
    "capture": ("approx_kl", "%%capture captured\n", ""),
    "magics": (
        "minibatch_indices",
        "%matplotlib inline\n!ls\nx = !ls\n%load_ext autoreload\n",
        "\n%who\n",
    ),
    "await": (SCHEDULE, "import asyncio\nawait asyncio.sleep(0)\n", ""),
    "future": (
        "ppo_update",
        "from __future__ import annotations\n",
        "\nx: Unknown[int] | None = None",
    ),
}
MORE_AROUND = {
    "unicode_names": (
        "probability_ratio",
        "größe_β: float = 1.0\nラムダ = 'λ'\nprint(größe_β, ラムダ)\n",
        "",
    ),
    "globals": (
        "minibatch_indices",
        "torch.set_default_dtype(torch.float32)\ntorch.set_num_threads(2)\n"
        "torch.manual_seed(1)\nnp.seterr(all='ignore')\n_ = 5; In = Out = None\n",
        "",
    ),
}


def _around(cells: dict[str, tuple[str, str, str]]) -> Callable[[dict], None]:
    def change(nb: dict) -> None:
        for name, before, after in cells.values():
            cell = cell_of(nb, name)
            cell["source"] = before + cell["source"] + after

    return change


def _helpers(nb: dict) -> None:
    cell_of(nb, SCHEDULE)["source"] = (
        "def linear_schedule(update, n_updates, initial):\n"
        "    return initial * remaining(update, n_updates)"
    )
    index = nb["cells"].index(cell_of(nb, SCHEDULE))
    nb["cells"].insert(index + 1, new_cell("print(linear_schedule(1, 4, 1.0))\n1 / 0"))
    nb["cells"].insert(index, new_cell("def remaining(a, b):\n    return 1 - a / b"))


def _split(nb: dict) -> None:
    cell = cell_of(nb, SCHEDULE)
    index = nb["cells"].index(cell)
    first = {**copy.deepcopy(cell), "id": "first-half", "source": "LEFT = 1.0"}
    cell["source"] = (
        "def linear_schedule(update, n_updates, initial):\n"
        "    return initial * (LEFT - update / n_updates)"
    )
    nb["cells"].insert(index, first)


def _colab(nb: dict) -> None:
    nb["metadata"] = {
        "colab": {"provenance": [], "gpuType": "T4"},
        "accelerator": "GPU",
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
    }
    for number, cell in enumerate(nb["cells"]):
        cell["metadata"] |= {"id": f"c{number}", "colab": {"base_uri": "https://localhost:8080/"}}
        cell.pop("id", None)
        cell["source"] = cell["source"].splitlines(keepends=True)


def _vscode(nb: dict) -> None:
    for cell in nb["cells"]:
        cell["metadata"] |= {"vscode": {"languageId": "python"}, "execution": {"busy": "now"}}


def _old(minor: int) -> Callable[[dict], None]:
    def change(nb: dict) -> None:
        nb["nbformat_minor"] = minor
        for cell in nb["cells"]:
            cell.pop("id", None)

    return change


def _outputs(nb: dict) -> None:
    nb["metadata"]["widgets"] = {
        "application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2}
    }
    for cell in nb["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = 3
            cell["outputs"] = [
                {"output_type": "stream", "name": "stderr", "text": "no\n" * 50},
                {"output_type": "error", "ename": "E", "evalue": "e", "traceback": []},
                {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<b>"}},
            ]
        else:
            cell["attachments"] = {"a.png": {"image/png": "aGVsbG8="}}


def _tabs(nb: dict) -> None:
    cell = cell_of(nb, SCHEDULE)
    cell["source"] = "def linear_schedule(update, n_updates, initial):\n\treturn initial - initial * update / n_updates"  # fmt: skip # noqa: E501


def _crlf(m: Material) -> bytes:
    nb = demo.solved(m)
    for cell in nb["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")
    return json.dumps(nb, indent=1).replace("\n", "\r\n").encode()


def _kernel(nb: dict) -> None:
    nb["metadata"] = {
        "kernelspec": {"name": "my-env", "display_name": "Mine", "language": "python"}
    }


def _imports(nb: dict) -> None:
    setup = next(c for c in nb["cells"] if "checker(" in c["source"])
    setup["source"] = "import math as maths\nfrom torch import maximum\n" + setup["source"]
    cell = cell_of(nb, VALUE)
    cell["source"] = cell["source"].replace("torch.maximum", "maximum")


def _redefined(nb: dict) -> None:
    cell = cell_of(nb, GRADIENT)
    index = nb["cells"].index(cell)
    nb["cells"].insert(index + 1, new_cell(cell["source"]))
    cell["source"] = "def has_gradient(ratio, advantages, clip_epsilon):\n    return ratio > 0"


def _file(encoding: str, *changes: Callable[[dict], None]) -> Callable[[Material], bytes]:
    """The solved notebook after some changes, in an encoding."""

    def make(m: Material) -> bytes:
        made = copy.deepcopy(demo.solved(m))
        for change in changes:
            change(made)
        return json.dumps(made).encode(encoding)

    return make


# What a student whose name is odd hands in: the right solution, oddly.
ODDITIES: dict[str, Callable[[Material], bytes]] = {
    "good": _file("utf-8"),
    "<img src=x onerror=alert(1)>": _file("utf-8", _around(AROUND)),
    "o'brien; drop table": _file("utf-8", _around(MORE_AROUND), _helpers, _imports, _redefined),
    "a+b@c.de": _file("utf-8-sig", _colab, _old(0), _split),
    "Jané 李": _file("utf-16", _vscode, _old(2), _outputs, _tabs),
    "-rf": _crlf,
    "%s": _file("utf-8", _outputs, _kernel),
}
