"""Hostile and honest notebooks through `execute`: what comes back, what they cannot reach."""

import concurrent.futures
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest

from autograde import execution
from autograde.sandbox import system_calls
from autograde.sandbox.launcher import REPOSITORY, SandboxUnavailable
from autograde.sandbox.probe import choose

try:
    WALL = choose("auto")
    WHY = ""
except SandboxUnavailable as error:
    WALL, WHY = "none", str(error)
walled = pytest.mark.skipif(WALL == "none", reason=WHY or "no wall")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

QUICK = {"cell_cpu_s": 0.4, "cell_wall_s": 4, "total_wall_s": 40, "grace_s": 0.4}
HIDDEN = "\n### BEGIN HIDDEN TESTS\nraise SystemError('hidden tests never run here')\n"
# Stands in for course_utils.checks.remote; {} is what it does with (request, nonce).
REMOTE = """
import json, sys, types
from IPython.display import display
module = types.ModuleType("course_utils.checks.remote")
def show(nonce, observation, mime="application/vnd.course-utils.observation+json"):
    display({{mime: {{"nonce": nonce, "observation": observation}}}}, raw=True)
def answer(path, nonce):
    request = json.loads(open(path).read())
    {}
module.answer_file = answer
sys.modules["course_utils.checks.remote"] = module
"""


def notebook(*cells):
    """Code cells; a pair is (source, grade_id of a test cell) or (source, metadata)."""
    made = []
    for index, cell in enumerate(cells):
        source, metadata = cell if isinstance(cell, tuple) else (cell, {})
        if isinstance(metadata, str):
            metadata = {"nbgrader": {"grade": True, "grade_id": metadata, "points": 1}}
        made.append(
            {
                "cell_type": "code",
                "id": f"c{index}",
                "metadata": metadata,
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
        )
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}


def run(*cells, requests=None, engine=None, **limits):
    job = {
        "notebook": notebook(*cells),
        "requests": requests or {},
        "limits": {**QUICK, **limits},
        "sandbox": WALL,
    }
    if engine is None:
        result = json.loads(execution.execute(json.dumps(job).encode()))
    else:
        result = json.loads(json.dumps(engine.run(job)))
    for cell in job["notebook"]["cells"]:  # whatever came back is a notebook
        cell["outputs"] = result["cells"][cell["id"]]["outputs"]
    nbformat.validate(nbformat.from_dict(job["notebook"]))
    return result


def statuses(result):
    return [cell["status"] for cell in result["cells"].values()]


def text(result, cell):
    """Everything the cell shows as plain text."""
    parts = []
    for output in result["cells"][f"c{cell}"]["outputs"]:
        data = output.get("data", {})
        parts.append(output.get("text") or data.get("text/plain") or output.get("evalue") or "")
    return "".join(parts)


@pytest.fixture(scope="module", autouse=True)
def _engine():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTRUCTORS_TOKEN", "secret")
        yield
    execution.close()


# --- honest notebooks ----------------------------------------------------------------------------


def test_ordinary_notebook():
    result = run(
        "import torch, matplotlib.pyplot as plt\nx = torch.ones(2, requires_grad=True)",
        "print('sum', x.sum().item())\n(x * 3).sum().backward()\nx.grad",
        "plt.plot([1, 2]); plt.show()",
        "1 / 0",
        "x = 5",
        "# %%\nx + 1",
        "",
        cell_cpu_s=10,
    )
    assert statuses(result) == ["ok", "ok", "ok", "error", "ok", "ok", "ok"]
    assert text(result, 1) == "sum 2.0\ntensor([3., 3.])"
    assert result["cells"]["c1"]["outputs"][1]["output_type"] == "execute_result"
    assert result["cells"]["c1"]["execution_count"] == 2
    assert "image/png" in result["cells"]["c2"]["outputs"][0]["data"]
    assert text(result, 3) == "division by zero"
    assert text(result, 5) == "6"
    assert result["kernel_deaths"] == result["timeouts"] == 0
    assert 0 < result["cpu_seconds"] < 10
    assert result["sandbox"]["wall"] == WALL and result["sandbox"]["text"]


def test_what_every_notebook_imports_is_there_already():
    result = run(
        "import sys, time\nbefore = set(sys.modules); start = time.process_time()",
        "import torch, gymnasium, matplotlib.pyplot as plt, numpy as np, ipywidgets, anywidget\n"
        "optimizer = torch.optim.Adam(torch.nn.Linear(2, 2).parameters())\n"
        "torch.distributions.Categorical(logits=torch.zeros(2)).sample()\n"
        "late = sorted(set(sys.modules) - before)\n"
        "print([m for m in late if m.partition('.')[0] in ('torch', 'sympy', 'gymnasium')])",
        cell_cpu_s=10,
    )
    assert text(result, 1) == "[]\n"


def test_server_imports_without_starting_a_thread():
    # a fork of a process with threads can hang
    run("1")
    assert execution._engines[(os.getpid(), WALL)].server().ready["threads"] == 1


def test_display_updates_and_cleared_output():
    result = run(
        "from IPython.display import display, clear_output\nprint('a'); clear_output(); print('b')",
        "h = display('old', display_id=True); h.update('new')",
        "print('a'); clear_output(wait=True)",
        "print('a'); clear_output(wait=True); print('b')",
        "import ipywidgets; ipywidgets.IntSlider()",
    )
    assert [text(result, cell) for cell in range(4)] == ["b\n", "'new'", "a\n", "b\n"]
    assert statuses(result) == ["ok"] * 5


def test_environment_of_the_kernel():
    result = run(
        "import os, json, tempfile\nprint(json.dumps(dict(os.environ)))",
        "open('f', 'w').write(tempfile.mkdtemp()); os.makedirs(os.path.expanduser('~/x'))",
        "import multiprocessing; multiprocessing.Lock(); os.cpu_count() > 0",
    )
    seen = json.loads(text(result, 0))
    assert "INSTRUCTORS_TOKEN" not in seen
    assert seen["NBGRADER_EXECUTION"] == "autograde"
    assert seen["OMP_NUM_THREADS"] == "1"
    assert statuses(result) == ["ok"] * 3


def test_skipped_cells_and_the_visible_part_only():
    result = run(
        ("print('demo')", {"tags": ["skip-execution"]}),
        ("print('visible')" + HIDDEN, "test_f"),
        ("print('other')" + HIDDEN, "test_g"),
    )
    assert statuses(result) == ["skipped", "ok", "ok"]
    assert text(result, 1) == "visible\n" and text(result, 2) == "other\n"
    assert result["observations"] == {}


def test_same_notebook_same_result_and_nothing_left_between_runs():
    cells = (
        "import random, numpy, torch, os\nprint(os.listdir('.'), os.listdir('/tmp'))",
        "print(random.random(), numpy.random.rand(), torch.rand(1), list({'a', 'b', 'c', 'd'}))",
        "open('left', 'w').close(); open('/tmp/left', 'w').close(); torch.manual_seed(3)",
        "undefined",
    )
    if WALL == "none":
        cells = tuple(cell.replace("os.listdir('/tmp')", "0") for cell in cells)
        cells = tuple(cell.replace("open('/tmp/left', 'w').close();", "") for cell in cells)
    first, second = run(*cells), run(*cells)
    for result in (first, second):
        for cell in result["cells"].values():
            del cell["seconds"]
    assert first["cells"] == second["cells"]
    assert statuses(first) == ["ok", "ok", "ok", "error"]


def test_source_as_a_list_of_lines_and_cells_without_id():
    job = {"notebook": notebook("x"), "sandbox": WALL}
    job["notebook"]["cells"][0].update(source=["a = 1\n", "print(a)"])
    del job["notebook"]["cells"][0]["id"]
    result = json.loads(execution.execute(json.dumps(job).encode()))
    assert result["cells"]["cell-0"]["outputs"][0]["text"] == "1\n"


# --- endless, deadly, noisy, greedy --------------------------------------------------------------


def test_endless_loop_is_interrupted_and_the_kernel_lives_on():
    result = run("x = 1", "while True: pass", "print(x)")
    assert statuses(result) == ["ok", "timeout", "ok"]
    assert text(result, 2) == "1\n"
    assert "0.4 s of computing" in text(result, 1)
    assert (result["timeouts"], result["kernel_deaths"]) == (1, 0)


def test_a_first_try_ends_at_the_first_timeout():
    job = {"notebook": notebook("x = 1", "while True: pass", "print(x)"), "sandbox": WALL}
    job.update(limits={"cell_cpu_s": 0.4}, stop_at_timeout=True)
    result = json.loads(execution.execute(json.dumps(job).encode()))
    assert statuses(result) == ["ok", "timeout"] and result["timeouts"] == 1


PLAYER = """
from IPython.display import display
def answer(request, file, nonce):
    found = {"asked": open(request).read(), "file": open(file).read()}
    mime = "application/vnd.course-utils.observation+json"
    display({mime: {"nonce": nonce, "observation": found}}, raw=True)
"""


@pytest.mark.parametrize("cell", ["while True: pass", "import os; os._exit(1)"])
def test_a_handed_in_file_is_played_whatever_the_notebook_did(cell):
    job = {"notebook": notebook(cell), "sandbox": WALL, "player": PLAYER}
    job.update(limits=QUICK, requests={"test_x": "play"}, files={"test_x": {"data": "AAAA"}})
    result = json.loads(execution.execute(json.dumps(job).encode()))
    assert result["observations"]["test_x"] == {"observation": {"asked": "play", "file": "AAAA"}}
    # A first try that ended at a timeout is made again: there nothing is played yet.
    job["stop_at_timeout"] = True
    again = json.loads(execution.execute(json.dumps(job).encode()))
    assert ("test_x" in again["observations"]) == (not again["timeouts"])


def test_a_call_that_the_driver_stopped_counts_as_a_timeout():
    slow = {"name": "a", "status": "timeout", "facts": {}}
    seen, result = observe(f"show(nonce, {{'callable': True, 'cases': [{slow!r}]}})")
    assert seen["observation"]["cases"] == [slow]
    assert result["timeouts"] == 1


def test_loop_that_swallows_the_interrupt_is_killed_and_earlier_cells_run_again():
    swallow = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    result = run("x = 1", "undefined", swallow, "print(x)")
    assert statuses(result) == ["ok", "error", "timeout", "ok"]
    assert text(result, 3) == "1\n"
    assert (result["timeouts"], result["kernel_deaths"]) == (1, 1)


def test_sleep_ends_at_the_wall_limit():
    result = run("import time; time.sleep(60)", "1", cell_wall_s=0.5)
    assert statuses(result) == ["timeout", "ok"]
    assert result["seconds"] < 20


def test_sleep_is_told_from_waiting_for_a_processor():
    nap = "import time; time.sleep(60)"
    work = "import time\nend = time.time() + 2.5\nwhile time.time() < end: sum(range(1000))"
    result = run(nap, work, "1", cell_idle_s=1, cell_wall_s=50, cell_cpu_s=20)
    assert statuses(result) == ["timeout", "ok", "ok"]
    assert 0.9 < result["cells"]["c0"]["seconds"] < 15


def test_computing_of_the_whole_notebook_is_bounded():
    work = "import time\nend = time.process_time() + 0.7\nwhile time.process_time() < end: pass"
    result = run(*[work] * 6, cell_cpu_s=5, cell_wall_s=20, total_cpu_s=2)
    assert statuses(result)[0] == "ok" and statuses(result)[3:] == ["skipped"] * 3
    assert result["timeouts"] == 1  # so that it is tried again
    noise = "for i in range(80): print('y' * 10_000)"
    result = run(*[noise] * 12, total_flood_bytes=3 << 20, cell_cpu_s=5, cell_wall_s=20)
    assert statuses(result)[0] == "ok" and statuses(result)[-2:] == ["skipped"] * 2


def test_total_time_ends_the_notebook():
    job = {"test_f": {"function": "f"}}
    result = run(
        "import time; time.sleep(60)", "1", ("1", "test_f"), requests=job, total_wall_s=0.7
    )
    assert statuses(result) == ["timeout", "skipped", "skipped"]
    assert result["observations"] == {"test_f": {"failure": "timeout"}}


@pytest.mark.parametrize(
    "killer",
    [
        "import os; os._exit(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import ctypes; ctypes.string_at(0)",
    ],
)
def test_dead_kernel_costs_one_cell(killer):
    result = run("x = 1", killer, "print(x)")
    assert statuses(result) == ["ok", "died", "ok"]
    assert text(result, 2) == "1\n"
    assert (result["timeouts"], result["kernel_deaths"]) == (0, 1)
    # As the machine would, were it short of memory: that may be a neighbor's fault.
    assert result["kernels_killed"] == ("SIGKILL" in killer)


@linux
def test_cell_that_kills_only_when_run_again_is_left_out():
    # Nothing in the scratch outlives a kernel, but its folder is numbered.
    which = (
        "import re, os\nfolders = open('/proc/self/mountinfo').read() + os.getcwd()\n"
        "number = int(re.search(r'/j/k([0-9]+)', folders)[1])"
    )
    number = int(text(run(which, "print(number)"), 1))
    later = f"x = 2\nif number > {number + 1}: os._exit(1)"
    result = run(which, later, "y = 3", "os._exit(1)", "print(y)", "print(x)")
    assert statuses(result) == ["ok", "ok", "ok", "died", "ok", "error"]
    assert result["kernel_deaths"] == 2


def test_only_killers_end_fast():
    started = time.monotonic()
    result = run(*["import os; os._exit(1)"] * 12, restarts=5)
    assert statuses(result) == ["died"] * 6 + ["skipped"] * 6
    assert time.monotonic() - started < 20


def test_exit_and_stopped_kernel():
    result = run("import sys; sys.exit(1)", "exit", "quit()", "print('still here')")
    assert statuses(result)[-1] == "ok"
    stopped = run("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "1", cell_wall_s=0.5)
    assert statuses(stopped) == ["timeout", "ok"]


def test_hundred_megabytes_of_print():
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = run(
        "print('x' * 100_000_000)",
        "for i in range(400): print('y' * 10_000)",
        "1 / 0",
        "for i in range(400): print('y' * 10_000)\n1 / 0",
        cell_cpu_s=20,
        cell_wall_s=30,
    )
    assert statuses(result) == ["ok", "ok", "error", "error"]
    assert "left out" in text(result, 0) and "cut off" in text(result, 1)
    assert len(text(result, 1)) < 1_001_000
    assert result["cells"]["c3"]["outputs"][-1]["ename"] == "ZeroDivisionError"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300_000  # kilobytes


def test_error_of_many_megabytes_behind_much_text_ends_its_cell():
    error = "print('y' * 2_000_000)\nraise Exception('v' * SIZE)"
    result = run(*[error.replace("SIZE", str(size)) for size in (10**5, 10**6, 10**7)], "1")
    assert statuses(result) == ["error"] * 3 + ["ok"]


def test_endless_print_is_stopped():
    result = run(
        "while True: print('y' * 10_000)", "1", flood_bytes=5 << 20, cell_cpu_s=30, cell_wall_s=30
    )
    assert statuses(result) == ["timeout", "ok"]
    assert "without end" in text(result, 0)
    many = run(
        "from IPython.display import display\nwhile True: display(1)",
        flood_messages=2000,
        cell_cpu_s=30,
        cell_wall_s=30,
    )
    assert "without end" in text(many, 0)


def test_output_of_the_whole_notebook_is_bounded():
    result = run(*["print('y' * 50_000)"] * 4, total_output_bytes=120_000)
    assert sum(len(text(result, cell)) for cell in range(4)) < 121_000


@linux
def test_memory_hog_gets_an_error_and_many_hogs_die():
    gigabyte = {"memory_bytes": 1 << 30, "cell_cpu_s": 20, "cell_wall_s": 20}
    result = run("x = bytearray(3 << 30)", "import torch; torch.ones(1 << 30)", "1", **gigabyte)
    assert statuses(result) == ["error", "error", "ok"]
    share = "import os, time\nfor i in range(4):\n  if not os.fork():\n"
    share += "    x = b'1' * (400 << 20); time.sleep(60)\ntime.sleep(60)"
    result = run(share, "1", **gigabyte)
    assert statuses(result) == ["died", "ok"]
    assert "1 GB of memory" in text(result, 0)


@walled
def test_who_takes_more_than_a_core_is_held_to_one():
    look = "import os\nprint(len(os.sched_getaffinity(0)))\n"
    crowd = "import time\nfor _ in range(24):\n    if not os.fork(): time.sleep(9); os._exit(0)\n"
    free = "os.sched_setaffinity(0, range(os.cpu_count()))\n"  # asks to, and thinks it may
    result = run(look, crowd + "time.sleep(0.6)\n" + free + look, cell_cpu_s=20, cell_wall_s=20)
    assert text(result, 0) == f"{len(os.sched_getaffinity(0))}\n"
    assert text(result, 1) == "1\n"


@walled
def test_memory_of_sockets_is_counted():
    hoard = """
import os, socket, time
for _ in range(6):
    if not os.fork():
        kept = [socket.socketpair() for _ in range(400)]
        time.sleep(30)
time.sleep(30)
"""
    result = run(hoard, "1", memory_bytes=1 << 30, cell_cpu_s=20, cell_wall_s=20)
    assert statuses(result) == ["died", "ok"]
    assert "1 GB of memory" in text(result, 0)


@walled
def test_fork_bomb_is_bounded():
    bomb = "import os, time\nn = 0\ntry:\n  while True:\n    if not os.fork(): time.sleep(60)\n"
    bomb += "    n += 1\nexcept OSError: print(n)"
    result = run(bomb, "1", processes=40, cell_cpu_s=20, cell_wall_s=20)
    assert statuses(result) == ["ok", "ok"]
    assert 5 < int(text(result, 0)) < 40
    result = run(
        "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", "1", processes=40
    )
    assert statuses(result) == ["timeout", "ok"]


def test_files_are_bounded():
    result = run(
        "open('f', 'wb').write(b'1' * (3 << 20))",
        "for i in range(9): open(f'g{i}', 'wb').write(b'1' * (900 << 10))",
        file_bytes=1 << 20,
        cell_cpu_s=5,
    )
    assert statuses(result) == ["error", "error" if WALL != "none" else "ok"]


@linux
def test_leftover_thread_and_process_do_not_delay_the_end():
    started = time.monotonic()
    result = run(
        "import threading, time, subprocess, sys\n"
        "threading.Thread(target=lambda: time.sleep(600)).start()",
        "p = subprocess.Popen(['sleep', '611'], start_new_session=True)",
        "print(1)",
    )
    assert statuses(result) == ["ok"] * 3
    assert time.monotonic() - started < 10
    assert not processes("sleep\0611")


def processes(words):
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if words in path.read_text():
                found.append(path)
        except (OSError, UnicodeDecodeError):
            continue
    return found


def test_kernel_that_dies_between_cells_is_not_the_next_cells_fault():
    result = run(
        "import threading, time, os",
        "threading.Timer(0.05, lambda: os._exit(1)).start()",
        *["time.sleep(0.3)"] * 2,
        "print('end')",
        restarts=30,
    )
    assert "ok" in statuses(result) and len(statuses(result)) == 5


# --- forged messages -----------------------------------------------------------------------------


def test_forged_messages():
    forge = """
import json
k = get_ipython().kernel
parent = k.get_parent()
def send(kind, content, parent=parent, raw=None):
    body = json.dumps(content).encode() if raw is None else raw
    header = json.dumps({"msg_type": kind, "msg_id": "x"}).encode()
    k.iopub_socket.send_multipart([b"<IDS|MSG>", b"sig", header,
        json.dumps({"msg_id": parent["header"]["msg_id"]}).encode(), b"{}", body])
send("stream", {"name": "stdlog", "text": "x"})
send("stream", {"name": ["stdout"], "text": 3})
send("stream", [1, 2])
send("stream", None, raw=b"\\xff\\x00{")
send("stream", None, raw=b"[" * 100000)
send("display_data", {"data": 7})
send("display_data", {"data": {"text/plain": {"a": 1}, "no mime": "x", "text/html": ["a", "b"]}})
send("display_data", {"data": {"application/json": float("nan")}, "transient": 3, "metadata": 9})
send("execute_result", {"data": {"text/plain": "r"}, "execution_count": "many"})
send("update_display_data", {"transient": {"display_id": {}}, "data": {}})
send("error", {"ename": 1, "evalue": [], "traceback": [1, None, "line"]})
send("comm_open", {"comm_id": [], "data": 1})
send("clear_output", {"wait": [1]})
send(None, {}); send({}, {}); send("status", 5); send("status", {"execution_state": 1})
k.iopub_socket.send_multipart([b"x"] * 3)
k.iopub_socket.send_multipart([b"<IDS|MSG>"])
k.iopub_socket.send_multipart([b""] * 5000)
send("status", {"execution_state": "idle"})
print("end")
"""
    result = run("x = 1", forge, "print(x)", cell_cpu_s=5)
    assert statuses(result) == ["ok", "ok", "ok"]
    assert text(result, 1).endswith("end\n") and text(result, 2) == "1\n"


def test_endless_message_is_not_collected():
    # libzmq would keep all parts until the last one has come
    forge = """
import zmq
s = get_ipython().kernel.iopub_thread.socket
part = b"x" * (1 << 20)
for i in range(400): s.send(part, zmq.SNDMORE)
s.send(b"end")
"""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = run("1", forge, "print(2)", cell_cpu_s=20, cell_wall_s=20, flood_bytes=1 << 30)
    assert len(statuses(result)) == 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_kernel_that_cannot_speak_is_not_waited_for_at_every_cell():
    started = time.monotonic()
    mute = """
session = type(get_ipython().kernel.session)
honest = session.send
def send(self, stream, kind, *args, **kwargs):
    return None if kind == "status" else honest(self, stream, kind, *args, **kwargs)
session.send = send
"""
    result = run("1", mute, *["x = 1"] * 20, cell_cpu_s=5, cell_wall_s=20)
    assert statuses(result) == ["ok"] * 22
    assert time.monotonic() - started < 20


def test_notebook_that_is_always_asleep_does_not_take_all_its_time():
    result = run(*["import time; time.sleep(9)"] * 8, cell_wall_s=0.3, clock_stops=2)
    assert statuses(result) == ["timeout"] * 3 + ["skipped"] * 5


# --- observations --------------------------------------------------------------------------------


def observe(body, *, before=(), **limits):
    result = run(
        *before,
        REMOTE.format(body),
        ("print('visible')" + HIDDEN, "test_f"),
        requests={"test_f": {"exercise": "lab/f", "function": "f", "cases": [1, "'\"\\\n"]}},
        **limits,
    )
    return result["observations"]["test_f"], result


def unmeasured(answer):
    """The observation without the engine's own figure."""
    return {k: v for k, v in answer["observation"].items() if k != "measured_cpu_s"}


def test_observation_comes_back():
    seen, result = observe("show(nonce, {**request, 'measured_cpu_s': -1e9})")
    assert 0 <= seen["observation"].pop("measured_cpu_s") < 5  # ours, not what it says
    assert seen["observation"] == {
        "exercise": "lab/f",
        "function": "f",
        "cases": [1, "'\"\\\n"],
    }
    assert text(result, 1) == "visible\n"  # nothing of the hidden part is shown


def test_observation_of_the_real_remote_module_whatever_names_the_notebook_uses():
    result = run(
        "open = print = __import__ = len = dict = id = None",
        ("1", "test_f"),
        requests={"test_f": {"exercise": "x/f", "function": "f", "cases": []}},
    )
    assert result["observations"]["test_f"]["observation"]["callable"] is False


def test_cost_of_an_answer_is_counted_from_outside():
    spend = "end = time.process_time() + 1\n    while time.process_time() < end: pass\n    "
    itself = spend + "time.process_time = lambda: 0.0\n    show(nonce, {{}})"
    by_a_child = "if os.fork(): os.wait(); show(nonce, {{}}); return\n    " + spend + "os._exit(0)"
    for body in (itself, by_a_child):
        body = "import os, time\n    " + body.replace("{{}}", "{}")
        seen, _ = observe(body, cell_cpu_s=20, cell_wall_s=30)
        assert 0.9 < seen["observation"]["measured_cpu_s"] < 3, body


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        ("show('0' * 32, {'forged': 1})", "no answer"),
        ("show(nonce, ['not a dict'])", "no answer"),
        ("show(nonce, {}, mime='application/json')", "no answer"),
        ("print(json.dumps({'nonce': nonce, 'observation': {}}))", "no answer"),
        ("pass", "no answer"),
        ("raise ValueError('bad')", "error: ValueError: bad"),
        ("show(nonce, {'x': 'y' * (9 << 20)})", "answer too large"),
        ("import os; os._exit(0)", "kernel died"),
    ],
)
def test_observation_that_does_not_count(body, failure):
    assert observe(body, cell_cpu_s=5)[0] == {"failure": failure}


def test_observation_among_forged_ones():
    seen, _ = observe("show('guess', {'forged': 1}); show(nonce, {'right': 1}); show(nonce, {})")
    assert unmeasured(seen) == {"right": 1}


def test_observation_shown_before_the_request_is_ignored():
    early = (REMOTE + "show('x', {{'early': 1}})").format("pass")
    seen, result = observe("pass", before=(early,))
    assert seen == {"failure": "no answer"}
    assert statuses(result) == ["ok"] * 3


def test_observation_that_never_ends():
    seen, result = observe("\n    while True: pass")
    assert seen == {"failure": "timeout"}
    assert statuses(result) == ["ok", "ok"] and result["timeouts"] == 1


def test_hidden_test_is_not_run_after_a_death_in_the_visible_part():
    requests = {"test_f": {}, "test_g": {}}
    cells = (
        REMOTE.format("show(nonce, {'ran': 1})"),
        ("import os; os._exit(0)" + HIDDEN, "test_f"),
        ("while True: pass" + HIDDEN, "test_g"),
    )
    result = run(*cells, requests=requests)
    assert statuses(result) == ["ok", "died", "timeout"]
    assert result["observations"] == {
        "test_f": {"failure": "kernel died"},
        "test_g": {"failure": "timeout"},
    }


def test_request_of_half_a_megabyte_is_quick():
    seen, result = observe("show(nonce, {'n': len(request['cases'])})")
    big = {"function": "f", "cases": [0.123456789] * 40_000}
    result = run(REMOTE.format("show(nonce, {'n': 1})"), ("1", "test_f"), requests={"test_f": big})
    assert unmeasured(result["observations"]["test_f"]) == {"n": 1}
    assert unmeasured(seen) == {"n": 2}
    assert result["cpu_seconds"] < 3


# --- the wall ------------------------------------------------------------------------------------


@walled
def test_nothing_of_the_instructors_can_be_read(tmp_path):
    secret = tmp_path / "gradebook.db"
    secret.write_text("marks")
    paths = [str(REPOSITORY / name) for name in ("solutions", "tests", "autograde", ".git")]
    paths += [str(secret), "/etc/shadow", str(Path.home() / ".bashrc"), "/proc/1/environ"]
    paths += [str(REPOSITORY / "pyproject.toml"), "/run/jobs", "/home", "/proc/1/root"]
    code = """
import os
def look(path):
    try:
        return bool(os.listdir(path)) if os.path.isdir(path) else bool(open(path).read())
    except OSError:
        return False
print([p for p in PATHS if look(p)])
""".replace("PATHS", repr(paths))
    result = run(code, "import autograde", "os.listdir(os.path.expanduser('~root'))")
    assert text(result, 0) == "[]\n"
    assert result["cells"]["c1"]["outputs"][0]["ename"] == "ModuleNotFoundError"


@walled
def test_no_network():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        name = f"\0autograde-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind(name)
            abstract.listen()
            result = run(
                "import socket",
                f"socket.create_connection(('127.0.0.1', {port}), 2)",
                f"socket.socket(socket.AF_UNIX).connect({name!r})",
                "socket.create_connection(('1.1.1.1', 53), 2)",
                "socket.gethostbyname('example.org')",
                "socket.socket(40, socket.SOCK_STREAM)",  # vsock, which no network namespace holds
                cell_wall_s=10,
            )
    assert statuses(result) == ["ok"] + ["error"] * 5


@walled
def test_other_processes_cannot_be_seen_or_signalled():
    result = run(
        "import os, signal\nprint(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))",
        "os.kill(1, signal.SIGKILL); os.kill(1, signal.SIGSTOP); os.kill(1, signal.SIGTERM)",
        "print('alive')",
        f"os.kill({os.getpid()}, 0)",
        "os.kill(-1, signal.SIGTERM)",
    )
    assert text(result, 0) == "[1, 2]\n"
    assert text(result, 2) == "alive\n"
    assert statuses(result)[1] == "ok" and statuses(result)[3] == "error"


@walled
def test_only_the_scratch_can_be_written():
    code = """
import os
def can(folder):
    try:
        open(os.path.join(folder, 'x'), 'w').close()
    except OSError:
        return False
    return True
def folders():
    for top in ('/', '/usr', '/usr/lib', '/etc', '/dev', '/job', '/run', '/run/jobs', '/proc', PKG):
        yield top
    import sys, course_utils
    yield from [sys.prefix, os.path.dirname(os.__file__), os.path.dirname(course_utils.__file__)]
print([f for f in folders() if can(f)], [f for f in ('/tmp', '/dev/shm', '.') if can(f)])
try:
    os.unlink('/job/s-1')
except OSError:
    print('kept')
""".replace("PKG", repr(str(REPOSITORY)))
    assert text(run(code), 0) == "[] ['/tmp', '/dev/shm', '.']\nkept\n"


@walled
def test_no_file_outside_the_scratch_can_be_changed():
    code = """
import os, stat
hits = []
for folder, folders, files in os.walk('/'):
    own = ('/tmp', '/scratch', '/dev/shm', '/dev/pts', '/proc')
    if folder in own or 'site-packages/' in folder:
        folders.clear()
        continue
    for name in files[:1]:
        path = os.path.join(folder, name)
        if os.path.islink(path):
            continue
        for change in (os.utime, lambda p: os.chmod(p, 0o666), os.unlink):
            try:
                change(path)
            except OSError:
                continue
            hits.append(path)
open('/dev/null', 'w').write('still there')
print(hits)
"""
    assert text(run(code, cell_cpu_s=20, cell_wall_s=30), 0) == "[]\n"


@walled
def test_rights_cannot_be_regained():
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(*(int(status[name], 16) for name in ('CapEff', 'CapPrm', 'CapInh', 'CapBnd', 'CapAmb')))
print(status['NoNewPrivs'].strip(), os.getuid() != 0)
print([libc.unshare(flag) for flag in (0x10000000, 0x20000, 0x40000000)])
print(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None), libc.ptrace(16, 1, 0, 0))
print(libc.shmget(0, 4096, 0o1600), libc.memfd_create(b'x', 0), libc.msgget(0, 0o1600))
print(libc.syscall(56 if os.uname().machine == 'x86_64' else 220, 0x10000000 | 17, 0, 0, 0, 0))
"""
    assert text(run(code), 0) == "0 0 0 0 0\n1 True\n[-1, -1, -1]\n-1 -1\n-1 -1 -1\n-1\n"


@walled
def test_denied_system_calls_really_are():
    _, column = system_calls.MACHINES[os.uname().machine]
    numbers = {name: n[column] for name, n in system_calls.DENIED_CALLS.items()}
    code = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    libc.syscall(number, *arguments)
    return errno.errorcode.get(ctypes.get_errno())
print({n for n, i in NUMBERS.items() if i is not None and call(i, *[-1] * 6) != 'EPERM'})
print(call(435, 0, 0), call(463, 0), call(10_000, 0))
""".replace("NUMBERS", repr(numbers))
    assert text(run(code), 0) == "set()\nENOSYS ENOSYS ENOSYS\n"


@walled
def test_a_crash_writes_nothing_anywhere():
    # A limit of 0 would still hand the core to the machine's crash reporter: core(5).
    code = """
import ctypes, resource
print(resource.getrlimit(resource.RLIMIT_CORE))
for change in ((resource.setrlimit, resource.RLIMIT_CORE, (0, 0)),
               (resource.prlimit, 0, resource.RLIMIT_CORE, (0, 1)),
               (resource.prlimit, 1, resource.RLIMIT_CORE, (0, 1))):
    try:
        change[0](*change[1:])
        print('changed')
    except (ValueError, OSError):
        pass
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
"""
    result = run(code)
    assert statuses(result) == ["ok"] and text(result, 0) == "(1, 1)\n"


# --- running it ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unsandboxed():
    engine = execution.Engine("none", warm=False)
    yield engine
    engine.close()


def test_unsandboxed(unsandboxed):
    cells = ("x = 1", "print(x)", "import os; os._exit(1)", "while True: pass", "x")
    result = run(*cells, engine=unsandboxed)
    assert statuses(result) == ["ok", "ok", "died", "timeout", "ok"]
    assert text(result, 1) == "1\n"
    assert result["sandbox"]["network"] is False
    assert "NOT protected: network" in result["sandbox"]["text"]


@linux
def test_unsandboxed_leaves_no_process(unsandboxed):
    code = "import subprocess; subprocess.Popen(['sleep', '622'], start_new_session=True); 1"
    run(code, engine=unsandboxed)
    assert not processes("sleep\0622")


def test_server_is_reused_restarted_and_closed():
    job = {"notebook": notebook("print(3)")}
    engine = execution.Engine(WALL, warm=False)
    engine.run(job)
    server = engine.server()
    engine.run(job)
    assert engine.server() is server
    assert os.listdir(server.jobs) == []  # nothing of a submission stays
    server.process.kill()
    server.process.wait()
    assert engine.run(job)["cells"]["c0"]["outputs"][0]["text"] == "3\n"
    last = engine.server()
    assert last is not server and not server.folder.exists()
    engine.close()
    assert last.process.poll() is not None and not last.folder.exists()


def test_server_that_dies_in_the_middle_counts_as_a_dead_kernel():
    engine = execution.Engine(WALL, warm=False)
    server = engine.server()

    def end_it():
        while not list(server.jobs.glob("k*/s-*")):
            time.sleep(0.02)
        time.sleep(0.7)
        server.process.kill()

    threading.Thread(target=end_it, daemon=True).start()
    cells = notebook("x = 1", "import time; time.sleep(20)", "print(x)")
    result = engine.run({"notebook": cells, "limits": {"cell_wall_s": 15}})
    engine.close()
    assert statuses(result) == ["ok", "died", "ok"]
    assert result["kernels_killed"] == 1


@linux
def test_in_worker_processes_and_threads():
    job = json.dumps({"notebook": notebook("print(41 + 1)"), "sandbox": WALL}).encode()
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        results = list(pool.map(execution.execute, [job] * 2))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results += list(pool.map(execution.execute, [job] * 4))
    for result in results:
        assert json.loads(result)["cells"]["c0"]["outputs"][0]["text"] == "42\n"


@linux
def test_server_ends_with_its_process():
    code = (
        "import os; from autograde.sandbox.launcher import KernelServer;"
        f"s = KernelServer({WALL!r}, warm=False); s.spawn();"
        "print(s.folder, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    folder = done.stdout.strip()
    assert folder
    for _ in range(100):
        if not processes(folder):
            break
        time.sleep(0.05)
    assert not processes(folder)
    shutil.rmtree(folder)  # nobody was left to do it


def test_two_kernels_of_one_server_do_not_meet():
    if WALL == "none":
        pytest.skip(WHY)
    seen = {}

    def one(name, code):
        seen[name] = run("import os, time", code, cell_wall_s=10, cell_cpu_s=5)

    writer = threading.Thread(
        target=one, args=("a", "open('/tmp/mark', 'w').close(); time.sleep(1.5)")
    )
    writer.start()
    time.sleep(0.5)
    one("b", "print(os.path.exists('/tmp/mark'), os.listdir('/run/jobs'), len(os.listdir('/job')))")
    writer.join()
    assert statuses(seen["a"]) == ["ok", "ok"]
    assert text(seen["b"], 1) == "False [] 5\n"
