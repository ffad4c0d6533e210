"""Bundles for students: what is in them, that they are reproducible, and when they are refused."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import mini
import pytest

from autograde import build, bundle, cli, release
from autograde.course import Course

ROOT = Path(__file__).resolve().parents[2]
LAB, NEXT = mini.LAB, "mini_lab2"
NOTEBOOK = f"notebooks/{LAB}/{LAB}.ipynb"
# The next lab shows what the first one asked for, and asks for something of its own.
NEXT_SOURCE = """# %%
from course_utils import figures
from course_utils.checks import checker

check = checker("mini_lab2")


# %%
def square(x):
    result = x * x
    return float(result)


# %% nbgrader={"grade": false, "grade_id": "mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mean(values):
    ### BEGIN SOLUTION
    total = sum(square(value) for value in values)
    return (total / max(len(values), 1)) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_mean", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("mean", mean)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("mini_lab2/mean", mean)
### END HIDDEN TESTS
"""  # noqa: E501
UTILS = {
    "__init__.py": '"""Given to students."""\n',
    "checks/__init__.py": "from course_utils.checks.visible import checker\n",
    "checks/visible.py": "from ..tools import load\n\n\ndef checker(lab):\n    return load(lab)\n",
    "tools.py": "def load(lab):\n    return lab\n",
    "figures.py": "import importlib\n\npicture = importlib.import_module('course_utils.later')\n",
    "later.py": "",
    "scratch.py": "# nobody imports this\n",
    "checks/notes.txt": "not on the list",
    "static/slider.js": "// draws\n",
    "static/notes.md": "not on the list",
    f"data/visible/{LAB}.json": '{"exercises": {"square": [3.0]}}',
    f"data/visible/{NEXT}.json": "{}",
    f"data/curves/{NEXT}_run.json": "[1, 2]",
    "data/curves/any.json": "[3]",
}
SHARED = {
    "Makefile",
    "README.md",
    "constraints.txt",
    "environment.yml",
    "jupyter/jupyter_server_config.json",
    "jupyter/labconfig/page_config.json",
    "lab.py",
    "pyproject.toml",
    "course_utils/__init__.py",
    "course_utils/checks/__init__.py",
    "course_utils/checks/visible.py",
    "course_utils/data/curves/any.json",
    f"course_utils/data/visible/{LAB}.json",
    "course_utils/static/slider.js",
    "course_utils/tools.py",
}


def make_course(folder: Path) -> Course:
    """The miniature course with a second lab, a small course_utils and a repository's files."""
    mini.make_course(folder)
    course = Course(folder)
    course.solution_path(NEXT).write_text(NEXT_SOURCE)
    build.build(course, NEXT)
    for name, text in UTILS.items():
        path = folder / "course_utils" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("pyproject.toml", "constraints.txt", "environment.yml"):
        shutil.copyfile(ROOT / name, folder / name)
    return course


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def course(built, tmp_path):
    """A course of the test's own, to break."""
    return Course(Path(shutil.copytree(built.root, tmp_path / "course")))


def run(course, *arguments):
    return cli.main(["release", *arguments, "--course", str(course.root)])


def unpack(data: bytes, folder: Path) -> Path:
    zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
    return folder


# --- what is in it -------------------------------------------------------------------------------


def test_a_bundle_holds_what_is_on_the_list_and_nothing_else(built):
    made = bundle.make(built, LAB)
    assert made.problems == []
    assert set(made.files) == SHARED | {NOTEBOOK}
    assert "course_utils/scratch.py" in made.left_out
    assert "course_utils/checks/notes.txt" in made.left_out
    for name in (NOTEBOOK, "course_utils/checks/visible.py", "constraints.txt"):
        assert made.files[name] == (built.root / name).read_bytes()


def test_a_later_bundle_brings_what_earlier_labs_need_but_not_their_notebooks(built):
    made = bundle.make(built, NEXT)
    assert made.problems == []
    assert set(made.files) == SHARED | {
        f"notebooks/{NEXT}/{NEXT}.ipynb",
        "course_utils/figures.py",
        "course_utils/later.py",
        f"course_utils/data/curves/{NEXT}_run.json",
        f"course_utils/data/visible/{NEXT}.json",
    }


def test_labs_are_in_the_order_of_their_numbers():
    assert bundle.in_order(["lab10_x", "lab2_y", "lab1"]) == ["lab1", "lab2_y", "lab10_x"]


def test_the_same_state_gives_the_same_bytes(built, tmp_path):
    other = Course(Path(shutil.copytree(built.root, tmp_path / "elsewhere")))
    for path in sorted(other.root.rglob("*.py"), reverse=True):
        path.touch()
        path.chmod(0o777)
    data = bundle.make(other, LAB).archive
    assert data == bundle.make(built, LAB).archive
    infos = zipfile.ZipFile(io.BytesIO(data)).infolist()
    assert [i.filename for i in infos] == sorted(i.filename for i in infos)
    assert {i.external_attr >> 16 for i in infos} == {0o100644}
    assert str(tmp_path).encode() not in data and b"elsewhere" not in data


def test_a_changed_module_of_the_same_size_gets_another_date(built, course):
    """Else Python would run the old one from its cache after unpacking over it."""
    module = course.root / "course_utils" / "tools.py"
    dates = set()
    for text in ("X = 1\n", "X = 2\n", "X = 3\n"):
        module.write_text(text)
        archive = zipfile.ZipFile(io.BytesIO(bundle.make(course, LAB).archive))
        dates.add(archive.getinfo("course_utils/tools.py").date_time)
    assert len(dates) == 3


def test_unpacking_the_next_lab_leaves_the_students_work_alone(built, tmp_path):
    folder = unpack(bundle.make(built, LAB).archive, tmp_path)
    (folder / NOTEBOOK).write_text("my work")
    (folder / "notebooks" / "own.ipynb").write_text("notes")
    unpack(bundle.make(built, NEXT).archive, folder)
    assert (folder / NOTEBOOK).read_text() == "my work"
    assert (folder / "notebooks" / "own.ipynb").read_text() == "notes"
    assert (folder / f"notebooks/{NEXT}/{NEXT}.ipynb").is_file()
    assert f"notebooks/{NEXT}/{NEXT}.ipynb" in (folder / "README.md").read_text()


# --- what is made for students -------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    """The bundle of the course's own lab."""
    return bundle.make(Course(ROOT), "lab5_ppo")


def toml(data: bytes) -> dict:
    return bundle._toml(data.decode())


def test_the_students_project_needs_what_the_repository_needs_for_students(real):
    ours, theirs = toml((ROOT / "pyproject.toml").read_bytes()), toml(real.files["pyproject.toml"])
    wanted = ours["project"]["dependencies"]
    kept = theirs["project"]["dependencies"]
    assert kept and set(kept) < set(wanted)
    dropped = {bundle.requirement_name(d) for d in set(wanted) - set(kept)}
    assert dropped == set(bundle.INSTRUCTORS_ONLY)
    assert theirs["project"]["requires-python"] == ours["project"]["requires-python"]
    assert theirs["build-system"] == ours["build-system"]
    assert "optional-dependencies" not in theirs["project"]
    assert "entry-points" not in theirs["project"]
    assert theirs["project"]["name"] != ours["project"]["name"]
    assert b"autograde" not in real.files["pyproject.toml"]


def test_a_student_installs_what_is_imported_and_the_programs_and_no_more(real):
    """A new dependency of the repository is a decision: for students, or INSTRUCTORS_ONLY."""
    from importlib.metadata import packages_distributions

    text = "\n".join(data.decode() for name, data in real.files.items() if name.endswith(".py"))
    cells = json.loads(real.files["notebooks/lab5_ppo/lab5_ppo.ipynb"])["cells"]
    text += "\n".join("".join(cell["source"]) for cell in cells)
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE))
    providers = packages_distributions()
    names = {bundle.requirement_name(d) for m in imported for d in providers.get(m, ())}
    programs = {"jupyterlab", "nbgrader"}
    later = {"safetensors"}  # lab 6: a student installs once, for all labs
    for dependency in toml(real.files["pyproject.toml"])["project"]["dependencies"]:
        name = bundle.requirement_name(dependency)
        # imageio[ffmpeg] is asked for by its second half.
        assert name in names | programs | later or f"{name}-ffmpeg" in names, dependency


def test_the_course_map_and_the_students_command_are_in_it(real, course):
    named = {"__main__.py", "progress.py", "data/course.json"}
    wanted = {"notebooks/index.ipynb", *(f"course_utils/{name}" for name in named)}
    assert wanted <= set(real.files)
    assert b"course_utils check lab5_ppo" in real.files["README.md"]
    assert b"index.ipynb" in real.files["README.md"]
    without = bundle.make(course, LAB)
    assert b"index.ipynb" not in without.files["README.md"]


def test_the_conda_environment_finds_its_files_in_the_bundle(real):
    import yaml

    environment = yaml.safe_load(real.files["environment.yml"])
    options = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert options == ["--constraint constraints.txt", "--editable ."]
    assert f"conda activate {environment['name']}" in real.files["README.md"].decode()


def test_what_students_read_names_their_files_and_is_rendered(real):
    readme = real.files["README.md"].decode()
    assert "notebooks/lab5_ppo/lab5_ppo.ipynb" in readme and "`python3 lab.py`" in readme
    for name in ("README.md", "Makefile", "lab.py", "pyproject.toml"):
        text = real.files[name].decode()
        assert "{{" not in text and "autograde" not in text
        assert text.isascii()
    compile(real.files["lab.py"], "lab.py", "exec")
    for name, data in real.files.items():
        if name.endswith(".json"):
            json.loads(data)
    disabled = json.loads(real.files["jupyter/labconfig/page_config.json"])["disabledExtensions"]
    assert "@jupyter/nbgrader:create-assignment" in disabled
    assert "@jupyter/nbgrader:validate-assignment" not in disabled


# --- starting it ---------------------------------------------------------------------------------

FAKE_PYTHON = """#!/bin/sh
echo "$@ [$JUPYTER_CONFIG_PATH]" >> "$LOG"
case "$*" in *"$FAIL"*) exit 3;; esac
"""


@pytest.fixture
def start(built, tmp_path):
    """A function that runs an unpacked bundle's lab.py; its Python only writes down its calls."""
    folder = unpack(bundle.make(built, LAB).archive, tmp_path / "labs")
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    log = tmp_path / "log"

    def start(*arguments, fail="never"):
        log.write_text("")
        environment = {**os.environ, "LOG": str(log), "FAIL": fail, "JUPYTER_CONFIG_PATH": "mine"}
        done = subprocess.run(
            [sys.executable, "-S", str(folder / "lab.py"), *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return done, log.read_text().splitlines()

    start.folder = folder
    return start


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Python is a shell script")
def test_it_installs_once_and_again_when_another_lab_needs_more(start):
    done, calls = start("--no-browser")
    assert done.returncode == 0, done.stderr
    assert len(calls) == 2
    assert "install --constraint constraints.txt --editable ." in calls[0]
    assert calls[1].startswith("-m jupyterlab --notebook-dir=notebooks")
    assert "--no-browser" in calls[1]
    assert calls[1].endswith(f"[{start.folder}/jupyter{os.pathsep}mine]")
    assert len(start()[1]) == 1
    with (start.folder / "constraints.txt").open("a") as file:
        file.write("# one more\n")
    assert len(start()[1]) == 2 and len(start()[1]) == 1
    # what building leaves behind does not make this Python one that has the labs
    info = start.folder / "policy_gradient_labs.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text(
        "Metadata-Version: 2.1\nName: policy-gradient-labs\nVersion: 1\n"
    )
    assert len(start()[1]) == 1


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Python is a shell script")
def test_an_installation_that_failed_is_said_and_tried_again(start):
    done, calls = start(fail="install")
    assert done.returncode == 1 and "When it does not install" in done.stderr
    assert "Traceback" not in done.stderr and len(calls) == 1
    assert len(start()[1]) == 2
    assert start(fail="jupyterlab")[0].returncode == 3


def test_another_python_is_told_which_one_is_needed(real, monkeypatch):
    names: dict = {"__name__": "lab", "__file__": "lab.py"}
    exec(compile(real.files["lab.py"], "lab.py", "exec"), names)
    for version in ((3, 9, 18), (3, 14, 0), (2, 7, 18)):
        monkeypatch.setattr(sys, "version_info", version)
        said = names["main"]([])
        assert said.startswith(f"Python 3.10 to 3.13 is needed, this is {version[0]}.")


# --- refusals ------------------------------------------------------------------------------------

ANSWER = "return math.sqrt(square(a) + square(b))"
RENAMED = "total = sum(square(v) for v in xs)\nreturn (total / max(len(xs), 1)) ** 0.5"
STOLEN = "def helper(xs):\n    " + RENAMED.replace("\n", "\n    ") + "\n"


def add_text(name: str, text: str):
    def plant(files: dict[str, bytes]) -> None:
        files[name] = files.get(name, b"") + f"\n{text}\n".encode()

    return name, plant


def add_json(name: str, value):
    def plant(files: dict[str, bytes]) -> None:
        files[name] = json.dumps({"was": files[name].decode(), "more": value}).encode()

    return name, plant


def add_to_notebook(change):
    def plant(files: dict[str, bytes]) -> None:
        notebook = json.loads(files[NOTEBOOK])
        change(notebook)
        files[NOTEBOOK] = json.dumps(notebook).encode()

    return NOTEBOOK, plant


def output(text: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": [text]}


PLANTED = {
    "in a module": add_text("course_utils/tools.py", f"def h(a, b):\n    {ANSWER}"),
    "renamed in a module": add_text("course_utils/tools.py", STOLEN),
    "in a comment": add_text("course_utils/checks/visible.py", f"# {ANSWER}"),
    "in a string": add_text("course_utils/tools.py", f"HINT = {ANSWER!r}"),
    "a module that is imported": add_text("course_utils/checks/__init__.py", STOLEN),
    "in stored data": add_json(f"course_utils/data/visible/{LAB}.json", [{"title": ANSWER}]),
    "renamed in stored data": add_json("course_utils/data/curves/any.json", {"code": RENAMED}),
    "in a script": add_text("course_utils/static/slider.js", f"const hint = `{ANSWER}`;"),
    "in the README": add_text("README.md", f"Try\n\n    {ANSWER}\n"),
    "renamed in the README": add_text("README.md", f"```python\n{STOLEN}```"),
    "in the settings": add_text("constraints.txt", f"# {ANSWER}"),
    "a hidden test": add_text("course_utils/tools.py", 'hidden_test("mini_lab2/mean", mean)'),
    "an import of the tests": add_text("lab.py", "from autograde.hidden import hidden_test"),
    "a marker": add_text("Makefile", "### BEGIN SOLUTION"),
    "a model answer": add_text(
        "README.md",
        "Because the square of a real number is never negative, the sum under the root is not "
        "either.",
    ),
    "in a cell": add_to_notebook(lambda nb: nb["cells"][2]["source"].append(f"\n# {ANSWER}")),
    "in an output": add_to_notebook(lambda nb: nb["cells"][3]["outputs"].append(output(ANSWER))),
    "in metadata": add_to_notebook(lambda nb: nb["metadata"].update(old={"was": ANSWER})),
    "in a cell's metadata": add_to_notebook(lambda nb: nb["cells"][1]["metadata"].update(a=ANSWER)),
    "of a later lab, in the notebook": add_to_notebook(
        lambda nb: nb["cells"][2]["source"].append("\n\n\n" + STOLEN)
    ),
    "a judge's code": add_text(
        "course_utils/tools.py",
        (ROOT / "autograde" / "judge" / "reference.py").read_text().replace("def ", "def my_"),
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_an_answer_anywhere_is_found_and_its_file_named(what, built):
    name, plant = PLANTED[what]
    made = bundle.make(built, LAB)
    plant(made.files)
    found = release.given_away(built, made, {})
    assert found and all(line.startswith(f"{name}: ") for line in found), found


def test_a_clean_bundle_gives_nothing_away_and_worked_code_of_an_earlier_lab_may_be_there(built):
    assert release.given_away(built, bundle.make(built, LAB), {}) == []
    # mini_lab2 shows the answer of mini_lab
    made = bundle.make(built, NEXT)
    assert b"result = x * x" in made.files[f"notebooks/{NEXT}/{NEXT}.ipynb"]
    assert release.given_away(built, made, {}) == []
    # but outside the notebook it is an answer
    made.files["course_utils/tools.py"] += (
        b"\n\ndef square(u):\n    v = u * u\n    return float(v)\n"
    )
    assert release.given_away(built, made, {})


def test_what_is_encoded_is_not_found(built):
    """Known and documented: the search reads text; it does not decode."""
    made = bundle.make(built, LAB)
    made.files["README.md"] += base64.b64encode(ANSWER.encode())
    assert release.given_away(built, made, {}) == []


def break_it(course, what: str) -> str:
    """Break a course; what the refusal has to name."""
    tools = course.root / "course_utils" / "tools.py"
    if what == "planted":
        tools.write_text(tools.read_text() + STOLEN)
        return "course_utils/tools.py"
    if what == "out of step":
        text = course.solution_path(LAB).read_text()
        course.solution_path(LAB).write_text(text.replace("The end.", "The End."))
        return f"python -m autograde build {LAB}"
    if what == "never built":
        course.release_path(LAB).unlink()
        return f"python -m autograde build {LAB}"
    if what == "broken source of a later lab":
        course.solution_path(NEXT).write_text(NEXT_SOURCE.replace("### END SOLUTION", ""))
        return NEXT
    if what == "module missing":
        tools.unlink()
        return "course_utils/tools.py is missing, which course_utils/checks/visible.py imports"
    if what == "an import of ours":
        tools.write_text("def f():\n    import autograde.judge\n")
        return "course_utils/tools.py imports autograde.judge, which students do not have"
    if what == "file missing":
        (course.root / "constraints.txt").unlink()
        return "constraints.txt is missing"
    if what == "checks missing":
        (course.root / f"course_utils/data/visible/{LAB}.json").unlink()
        return "python -m autograde checks"
    if what == "a link":
        tools.rename(course.root / "real.py")
        tools.symlink_to(course.root / "real.py")
        return "course_utils/tools.py is a link"
    if what == "a linked folder":
        (course.root / "course_utils" / "static").rename(course.root / "real")
        (course.root / "course_utils" / "static").symlink_to(course.root / "real")
        return "course_utils/static is a link"
    if what == "a linked notebook":
        path = course.release_path(LAB)
        path.rename(course.root / "real.ipynb")
        path.symlink_to(course.root / "real.ipynb")
        return f"{LAB}.ipynb is a link"
    if what == "a folder for a file":
        tools.unlink()
        tools.mkdir()
        return "course_utils/tools.py is no regular file"
    raise AssertionError(what)


BREAKS = (
    "planted", "out of step", "never built", "broken source of a later lab", "module missing",
    "an import of ours", "file missing", "checks missing", "a link", "a linked folder",
    "a linked notebook", "a folder for a file",
)  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
@pytest.mark.parametrize("what", BREAKS)
def test_a_lab_that_must_not_go_out_is_refused_and_nothing_written(what, course, capsys):
    expected = break_it(course, what)
    assert run(course, LAB) == 1
    out, err = capsys.readouterr()
    assert out == "" and expected in err and "Traceback" not in err
    assert err.startswith(f"{LAB} cannot be released:")
    assert not course.bundles.exists()


# --- the command ---------------------------------------------------------------------------------


def test_release_writes_the_zip_and_says_what_is_in_it(course, capsys):
    assert run(course, LAB) == 0
    path = course.bundles / f"{LAB}.zip"
    data = path.read_bytes()
    assert zipfile.ZipFile(path).namelist() == sorted(SHARED | {NOTEBOOK})
    out, err = capsys.readouterr()
    assert f"sha256 {hashlib.sha256(data).hexdigest()}" in out
    assert all(name in out for name in SHARED) and "python3 lab.py" in out
    assert "left out: course_utils/scratch.py" in err
    assert run(course, LAB) == 0
    assert f"autograde/bundles/{LAB}.zip unchanged" in capsys.readouterr().out
    assert path.read_bytes() == data


def test_check_writes_nothing(course, capsys):
    assert run(course, LAB, "--check") == 0
    assert f"{LAB} could be released" in capsys.readouterr().out
    assert not course.bundles.exists()


def test_one_refused_lab_does_not_keep_the_others(course, capsys):
    (course.root / f"course_utils/data/visible/{NEXT}.json").unlink()
    assert run(course, "--all") == 1
    out, err = capsys.readouterr()
    assert [path.name for path in course.bundles.iterdir()] == [f"{LAB}.zip"]
    assert f"{NEXT} cannot be released" in err and f"{LAB}.zip written" in out


def test_output_names_a_file_or_for_several_labs_a_folder(course, tmp_path, capsys):
    target = tmp_path / "out" / "first.zip"
    assert run(course, LAB, "--output", str(target)) == 0 and target.is_file()
    assert run(course, LAB, NEXT, "--output", str(target)) == 2
    assert "name a folder" in capsys.readouterr().err
    assert run(course, LAB, NEXT, "--output", str(target.parent)) == 0
    assert {p.name for p in target.parent.iterdir()} == {"first.zip", f"{LAB}.zip", f"{NEXT}.zip"}
    assert not course.bundles.exists()
    (tmp_path / "file").write_text("")
    assert run(course, LAB, "--output", str(tmp_path / "file" / "x.zip")) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [(), ("lab99",), (LAB, "--all")])
def test_a_mistake_in_the_arguments_is_one_line(arguments, built, capsys):
    assert run(built, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.strip().splitlines()) == 1


def test_a_course_without_course_utils_takes_the_repositorys(tmp_path):
    """As the demonstration's; and a lab without stored checks is told."""
    course = Course(mini.make_course(tmp_path))
    made = bundle.make(course, LAB)
    problem = f"course_utils/data/visible/{LAB}.json is missing; run: python -m autograde checks"
    assert made.problems == [problem]
    assert "course_utils/checks/compare.py" in made.files
