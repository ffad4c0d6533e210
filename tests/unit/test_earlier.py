"""The student's own functions of an earlier lab: used where they pass, worked ones elsewhere."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest
import torch

from autograde import demo
from autograde.course import Course
from course_utils import earlier

ROOT = Path(__file__).resolve().parents[2]
COURSE = Course(ROOT)
LAB = demo.LAB
CORPUS = ROOT / "tests" / "corpus" / LAB
NAMES = (
    "probability_ratio",
    "clipped_surrogate_loss",
    "approx_kl",
    "minibatch_indices",
    "linear_schedule",
    "ppo_update",
)


@pytest.fixture(scope="module")
def lab():
    return demo.load_lab(COURSE, LAB)


@pytest.fixture(scope="module")
def reference():
    return demo.reference_solutions(COURSE, LAB)


@pytest.fixture(scope="module")
def worked(lab, reference):
    """The worked versions as a later notebook has them: functions of one other module."""
    module = types.ModuleType("later_notebook")
    sys.modules[module.__name__] = module
    for cell in demo.filled(lab, reference)["cells"]:
        demo_cell = "skip-execution" in cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code" and not demo_cell and "check(" not in cell["source"]:
            exec(cell["source"], vars(module))
    yield {name: vars(module)[name] for name in NAMES}
    del sys.modules[module.__name__]


def corpus(name, file):
    return (CORPUS / name / f"{file}.py").read_text(encoding="utf-8")


@pytest.fixture
def student(tmp_path, lab, monkeypatch):
    """student(sources) writes a lab 5 notebook and goes to a later lab's folder beside it."""
    path = tmp_path / "notebooks" / LAB / f"{LAB}.ipynb"
    (tmp_path / "notebooks" / "lab6").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / "lab6")

    def write(sources, change=lambda cells: cells):
        notebook = demo.filled(lab, sources)
        notebook["cells"] = change(notebook["cells"])
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    write.path = path
    return write


def others(taken):
    """Reason by name, of the functions that are not the student's own."""
    return {verdict.name: verdict.reason for verdict in taken.verdicts if not verdict.own}


def marked(cells):
    return {c["metadata"].get("nbgrader", {}).get("grade_id"): c for c in cells}


def test_a_finished_lab_gives_the_students_own_functions(student, reference, worked, capsys):
    path = student(reference)
    ppo = earlier.own_functions(LAB, worked)
    assert sorted(vars(ppo)) == sorted(NAMES)
    for name in NAMES:
        function = getattr(ppo, name)
        assert function is not worked[name]
        # what it calls is found in the same place
        assert function.__globals__["clipped_surrogate_loss"] is ppo.clipped_surrogate_loss
    said = capsys.readouterr().out
    assert said == (
        f"From ../{LAB}/{path.name}: all 6 functions pass their checks, so your own are used.\n"
    )


def test_other_right_ways_to_write_them_are_the_students_own(student, worked):
    """Own imports, helpers beside the function, classes and decorators, prints and warnings."""
    for number in range(3):
        files = {name: sorted((CORPUS / name).glob("ok_*.py")) for name in NAMES}
        chosen = {name: paths[-1 - number] for name, paths in files.items()}
        student({name: path.read_text() for name, path in chosen.items()})
        assert others(earlier.take(LAB, worked)) == {}, chosen


def test_an_unwritten_lab_gives_the_worked_versions(student, worked, capsys):
    student({})
    ppo = earlier.own_functions(LAB, worked)
    assert vars(ppo) == worked
    said = capsys.readouterr().out
    assert "0 of 6 functions are your own" in said and said.count("not written yet") == 6


def test_what_does_not_pass_is_replaced_before_what_calls_it_is_tried(
    student, reference, worked, capsys
):
    wrong = {
        "clipped_surrogate_loss": corpus("clipped_surrogate_loss", "bad_no_clip"),
        "minibatch_indices": corpus("minibatch_indices", "bad_remainder_dropped"),
        "approx_kl": "def approx_kl(new_log_probs, old_log_probs):\n    raise ValueError('no')",
        "linear_schedule": "def linear_schedule(update, n_updates, initial):\n    return (",
        "probability_ratio": "",
    }
    student({**reference, **wrong})
    taken = earlier.take(LAB, worked)
    assert others(taken) == {
        "clipped_surrogate_loss": "does not pass its check",
        "minibatch_indices": "does not pass its check",
        "approx_kl": "does not pass its check",
        "linear_schedule": "its cell stops with SyntaxError",
        "probability_ratio": "its cell does not define it",
    }
    # and what the student's own update calls are those versions
    update = taken.functions["ppo_update"]
    assert update.__code__.co_filename == f"<{LAB}, cell ppo_update>"
    for name in wrong:
        assert update.__globals__[name] is taken.functions[name]
        assert taken.functions[name].__code__ is worked[name].__code__
    ppo = earlier.own_functions(LAB, worked)
    said = capsys.readouterr().out
    assert "1 of 6 functions are your own" in said and "ppo_update              yours" in said
    loss = ppo.clipped_surrogate_loss(torch.tensor([1.0]), torch.zeros(1), torch.ones(1), 0.5)
    assert loss.item() == -1.5


def test_the_default_argument_of_an_update_is_what_passed_as_well(student, reference, worked):
    update = reference["ppo_update"].replace(
        "    generator: torch.Generator,\n",
        "    generator: torch.Generator,\n    kl=approx_kl,\n",
        1,
    )
    assert "kl=approx_kl" in update
    student({**reference, "approx_kl": corpus("approx_kl", "bad_k1"), "ppo_update": update})
    taken = earlier.take(LAB, worked)
    assert set(others(taken)) == {"approx_kl"}
    assert taken.functions["ppo_update"].__defaults__ == (worked["approx_kl"],)


def test_a_worked_update_calls_the_students_own_helpers(student, reference, worked):
    student({**reference, "ppo_update": corpus("ppo_update", "bad_entropy_sign")})
    taken = earlier.take(LAB, worked)
    assert set(others(taken)) == {"ppo_update"}
    update = taken.functions["ppo_update"]
    assert update.__code__ is worked["ppo_update"].__code__ and update is not worked["ppo_update"]
    own = taken.functions["clipped_surrogate_loss"]
    assert update.__globals__["clipped_surrogate_loss"] is own
    assert own is not worked["clipped_surrogate_loss"]
    # the later notebook's own names stay as they are
    assert worked["ppo_update"].__globals__["clipped_surrogate_loss"] is not own


def test_a_cell_that_defines_another_exercises_function_again_changes_nothing(
    student, reference, worked
):
    again = "\n\ndef approx_kl(new_log_probs, old_log_probs):\n    return 0.0\n"
    student({**reference, "linear_schedule": reference["linear_schedule"] + again})
    taken = earlier.take(LAB, worked)
    assert others(taken) == {}
    assert taken.functions["approx_kl"](torch.zeros(2), torch.ones(2)) > 0.3


def test_tests_demos_and_added_cells_are_not_run(student, reference, worked, tmp_path):
    trace = tmp_path / "trace"
    leave = f"open({str(trace)!r}, 'a').write('x')\n"

    def change(cells):
        for cell in cells:
            tags = cell["metadata"].get("tags", [])
            grade = cell["metadata"].get("nbgrader", {}).get("grade")
            if cell["cell_type"] == "code" and (grade or "skip-execution" in tags):
                cell["source"] = leave
        added = nbformat.v4.new_code_cell(leave)
        uuid = {**added, "id": "0c1d6a3e-2f5b-4d0c-9f5e-3a6b7c8d9e0f"}
        return [added, *cells, uuid]

    student(reference, change)
    assert others(earlier.take(LAB, worked)) == {} and not trace.exists()
    student({**reference, "has_gradient": leave})
    assert others(earlier.take(LAB, worked)) == {} and trace.exists()


def test_a_given_cell_that_the_student_changed_is_taken_as_it_is(student, reference, worked):
    def helper(cells):
        first = next(cell for cell in cells if cell["cell_type"] == "code")
        first["source"] = "from math import expm1\n" + first["source"]
        return cells

    source = corpus("approx_kl", "ok_math_loop").replace("import math", "")
    assert "math.expm1(" in source
    student({**reference, "approx_kl": source.replace("math.expm1(", "expm1(")}, helper)
    assert others(earlier.take(LAB, worked)) == {}


def test_a_given_cell_that_stops_is_said(student, reference, worked):
    def broken(cells):
        config = next(c for c in cells if "class PPOConfig" in c["source"])
        config["source"] = "import no_such_module\n" + config["source"]
        return cells

    student(reference, broken)
    taken = earlier.take(LAB, worked)
    assert taken.notes == ("A given cell stops with ModuleNotFoundError: import no_such_module",)
    assert others(taken) == {
        "ppo_update": "its cell stops with NameError: name 'PPOConfig' is not defined"
    }


def test_cells_are_known_by_name_or_by_id(student, reference, worked):
    """Without nbgrader's marks the ids are left; without ids and marks nothing is."""

    def unmarked(cells):
        for cell in cells:
            if not cell["metadata"].get("nbgrader", {}).get("grade"):
                cell["metadata"].pop("nbgrader", None)
        return cells

    def renamed(cells):
        for number, cell in enumerate(cells):
            cell["metadata"].pop("nbgrader", None)
            cell["id"] = f"{number:08x}"
        return cells

    student(reference, unmarked)
    assert others(earlier.take(LAB, worked)) == {}
    student(reference, renamed)
    taken = earlier.take(LAB, worked)
    assert set(others(taken).values()) == {"its cell is not in the notebook"}
    assert taken.functions == worked and "were not found" in taken.notes[0]


def test_copies_deleted_and_moved_cells(student, reference, worked, lab):
    stub = next(
        c for c in demo.filled(lab, {})["cells"]
        if c["metadata"].get("nbgrader", {}).get("grade_id") == "approx_kl"
    )  # fmt: skip

    def change(cells):
        update, ratio = marked(cells)["ppo_update"], marked(cells)["probability_ratio"]
        rest = [c for c in cells if c is not update and c is not ratio]
        config = next(i for i, c in enumerate(rest) if "class PPOConfig" in c["source"])
        # the update before what it calls; an empty copy after the written one
        second_half = {**marked(cells)["linear_schedule"], "source": "x = 1"}
        return [*rest[: config + 1], update, *rest[config + 1 :], stub, second_half]

    student(reference, change)
    assert others(earlier.take(LAB, worked)) == {
        "probability_ratio": "its cell is not in the notebook"
    }


def test_code_that_leaves_asks_prints_or_never_ends(student, reference, worked, monkeypatch, capfd):
    monkeypatch.setattr(earlier, "CELL_SECONDS", 0.3)
    before = {name: reference[name] for name in NAMES}
    student(
        {
            **before,
            "probability_ratio": "import sys\nprint('x' * 10_000)\nsys.exit()",
            "clipped_surrogate_loss": "name = input('your name? ')",
            "approx_kl": "while True:\n    pass",
            "minibatch_indices": "%%time\n%matplotlib inline\n!echo shell\n"
            + before["minibatch_indices"],
            "linear_schedule": corpus("linear_schedule", "bad_returns_none") + "\nexit()",
            "ppo_update": "import warnings\nwarnings.warn('look')\n" + before["ppo_update"],
        }
    )
    taken = earlier.take(LAB, worked)
    assert others(taken) == {
        "probability_ratio": "its cell stops with SystemExit",
        "clipped_surrogate_loss": "its cell stops with EOFError",
        "approx_kl": "its cell does not come to an end",
        "linear_schedule": "does not pass its check",
    }
    assert capfd.readouterr() == ("", "")


def test_a_function_that_never_ends_costs_its_own_check_only(
    student, reference, worked, monkeypatch
):
    monkeypatch.setattr("course_utils.checks.observe.CPU_SECONDS_PER_CALL", 0.3)
    student({**reference, "minibatch_indices": "def minibatch_indices(*_):\n    while True: pass"})
    assert others(earlier.take(LAB, worked)) == {"minibatch_indices": "does not pass its check"}


@pytest.mark.parametrize("where", ["cell", "function"])
def test_the_interrupt_button_still_works(student, reference, worked, where):
    inside = "def approx_kl(*_):\n    raise KeyboardInterrupt"
    student(
        {**reference, "approx_kl": {"cell": "raise KeyboardInterrupt", "function": inside}[where]}
    )
    with pytest.raises(KeyboardInterrupt):
        earlier.take(LAB, worked)
    assert sys.stdout.writable() and not isinstance(sys.stdout, earlier._Nowhere)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"cells": 3}', b'{"cells": [[]]}', b"[" * 200_000],
)
def test_a_file_that_is_no_notebook_is_said(student, worked, content, capsys):
    student.path.parent.mkdir()
    student.path.write_bytes(content)
    assert vars(earlier.own_functions(LAB, worked)) == worked
    said = capsys.readouterr().out
    assert said.startswith("The worked versions are used.\n") and "is no notebook" in said
    assert "Traceback" not in said and said.count("\n") == 2


def test_cells_of_odd_kinds_do_no_harm(student, worked):
    odd = [
        {},
        {"metadata": {"nbgrader": [1]}, "cell_type": "code", "source": 3, "id": ["x"]},
        {"metadata": {"nbgrader": {"solution": True, "grade_id": [1]}}, "cell_type": "code"},
        {"metadata": {"tags": 5}, "cell_type": "code", "id": "code-0123456789ab", "source": [1]},
        {"metadata": {}, "cell_type": "code", "id": "approx_kl", "source": "\x00"},
    ]
    student({}, lambda cells: odd)
    reasons = others(earlier.take(LAB, worked))
    assert len(reasons) == 6 and reasons["approx_kl"].startswith("its cell stops with ")


def test_where_no_notebook_is_found(student, worked, tmp_path, monkeypatch):
    assert (
        earlier.take(LAB, worked).notes[0].startswith(f"No {LAB}.ipynb was found in {Path.cwd()}")
    )
    student.path.mkdir(parents=True)  # a folder of that name
    assert "was found in" in earlier.take(LAB, worked).notes[0]
    assert "or is no file" in earlier.take(LAB, worked, student.path).notes[0]
    student.path.rmdir()
    path = student({})
    monkeypatch.setattr(earlier, "MAX_BYTES", 2**20)
    path.write_bytes(b" " * (2**20 + 1))
    assert "larger than 1 MB: clear its outputs" in earlier.take(LAB, worked).notes[0]


def test_a_notebook_elsewhere_can_be_named(student, reference, worked, tmp_path, monkeypatch):
    path = student(reference)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert others(earlier.take(LAB, worked, str(path.relative_to(tmp_path).parent)))
    assert others(earlier.take(LAB, worked, f"../{path.relative_to(tmp_path)}")) == {}


def test_nothing_is_read_or_shown_while_grading(student, reference, worked, monkeypatch, capsys):
    student(reference)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert vars(earlier.own_functions(LAB, worked)) == worked
    assert capsys.readouterr().out == ""


def test_a_name_that_is_no_exercise_is_a_clear_error(worked):
    with pytest.raises(ValueError, match="no exercise named 'ppo'; it has: probability_ratio"):
        earlier.own_functions(LAB, {"ppo": worked["ppo_update"]})


def test_in_a_notebook_the_table_names_each_function(student, reference, worked):
    student({**reference, "approx_kl": corpus("approx_kl", "bad_k1")})
    taken = earlier.take(LAB, worked)
    page = earlier._as_html(LAB, taken)
    assert page.count("<tr>") == 6 and page.count("yours") == 5
    details = next(verdict.details for verdict in taken.verdicts if not verdict.own)
    assert details.startswith("approx_kl: not right yet") and "<details>" in page
    hostile = earlier.Verdict("approx_kl", False, "<b>", "<script>")
    page = earlier._as_html(LAB, earlier.Taken(worked, (hostile,), Path("<i>"), ("<u>",)))
    assert not any(tag in page for tag in ("<b>", "<script>", "<i>", "<u>"))


def test_a_kernel_shows_html_and_text(student, reference):
    """In a real kernel: one display, and nothing of what the student's cells display."""
    student(
        {"linear_schedule": "display('noise')\nprint('noise')\n" + reference["linear_schedule"]}
    )
    code = (
        "from course_utils.earlier import own_functions\n"
        f"own_functions({LAB!r}, {{'linear_schedule': min}})\n"
        "print('done')"
    )
    script = (
        "import json, sys, nbformat\nfrom nbclient import NotebookClient\n"
        "nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(sys.argv[1])])\n"
        "NotebookClient(nb, kernel_name='python3').execute()\n"
        "print(json.dumps(nb.cells[0].outputs))"
    )
    done = subprocess.run([sys.executable, "-c", script, code], capture_output=True, text=True)
    outputs = json.loads(done.stdout.splitlines()[-1])
    texts = [o.get("text", "") for o in outputs] + [str(o.get("data", "")) for o in outputs]
    shown = [o["data"] for o in outputs if o["output_type"] == "display_data"]
    assert len(shown) == 1 and shown[0]["text/html"].startswith("<p>From ")
    assert "all 1 functions pass" in shown[0]["text/plain"] and "done\n" in texts
    assert not any("noise" in text for text in texts)


@pytest.mark.parametrize("lab", COURSE.labs())
def test_given_cells_of_every_lab_are_known_by_their_ids(lab):
    """What earlier.py takes for given is what a released notebook gives, and only that."""
    for cell in nbformat.read(COURSE.release_path(lab), as_version=4).cells:
        if cell.cell_type == "code":
            named = "nbgrader" in cell.metadata
            assert bool(earlier.GIVEN_ID.fullmatch(cell.id)) == (not named), cell.id
    assert not earlier.GIVEN_ID.fullmatch(nbformat.v4.new_code_cell().id)


def test_it_runs_only_what_the_student_wrote():
    """The one place in course_utils that runs code from a file, and what it compiles."""
    tree = ast.parse((ROOT / "course_utils" / "earlier.py").read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    run = [ast.unparse(n.args[0]) for n in calls if ast.unparse(n.func) == "exec"]
    assert run == ["compile(source, filename, 'exec', dont_inherit=True)"]
