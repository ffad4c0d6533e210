"""A student's machine: the released lab unpacked elsewhere, installed by its README, and run."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from autograde import corpus, demo
from autograde.course import Course

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
LAB = demo.LAB
NOTEBOOK = f"notebooks/{LAB}/{LAB}.ipynb"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Every cell, those that grading skips included, in a fresh kernel of the student's own environment.
RUN = """
import json, sys
import nbformat
from nbclient import NotebookClient

folder, name = sys.argv[1:]
notebook = nbformat.read(f"{folder}/{name}", as_version=4)
client = NotebookClient(
    notebook, timeout=300, allow_errors=True, skip_cells_with_tag="no such tag",
    resources={"metadata": {"path": folder}},
)
client.execute()
outputs = [(cell, o) for cell in notebook.cells for o in cell.get("outputs", [])]
print(json.dumps({
    "errors": [c.metadata.get("nbgrader", {}).get("grade_id", c.source)
               for c, o in outputs if o.output_type == "error"],
    "stderr": [o.text for _, o in outputs if o.get("name") == "stderr"],
    "pictures": sum("image/png" in str(o) for _, o in outputs),
    "videos": sum("<video" in str(o) for _, o in outputs),
}))
"""
FACTS = """
import importlib.metadata, importlib.util, json, sys
import course_utils
print(json.dumps({
    "path": sys.path,
    "course_utils": course_utils.__file__,
    "autograde": importlib.util.find_spec("autograde") is not None,
    "versions": {d.name: d.version for d in importlib.metadata.distributions()},
}))
"""


def test_a_student_installs_and_runs_what_was_released(tmp_path):
    """One test: its parts share an installation, and several processes may run the tests."""
    environment = students_environment(tmp_path / "home")
    try:
        labs = installed(tmp_path, environment)
        it_has_the_course_and_nothing_of_the_instructors(labs, environment)
        jupyterlab_starts_without_the_instructors_tools(labs, environment)
        the_students_command_checks_what_is_written(labs, environment)
        the_notebook_runs_as_released_and_as_solved(labs, environment)
    finally:
        # pytest keeps the last runs' folders, and this is more than a gigabyte.
        shutil.rmtree(tmp_path / "labs" / ".venv", ignore_errors=True)


def students_environment(home: Path) -> dict[str, str]:
    """A student's environment variables: nothing of this repository's, pip's settings as here."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV", "NBGRADER", "JUPYTER", "PYTEST", "COV"))
    }
    path = [p for p in kept["PATH"].split(os.pathsep) if not Path(p).is_relative_to(ROOT)]
    return {
        **kept,
        "PATH": os.pathsep.join(path),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "OMP_NUM_THREADS": "1",
        # Only what is imported gets compiled; it saves half a minute and changes nothing else.
        "PIP_NO_COMPILE": "1",
    }


def installed(folder: Path, environment: dict) -> Path:
    """The folder of a student who has unpacked the lab and started it once."""
    bundle = folder / f"{LAB}.zip"
    command = [sys.executable, "-m", "autograde", "release", LAB, "--output", str(bundle)]
    released = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert released.returncode == 0, released.stderr
    command = [sys.executable, "-m", "zipfile", "-e", str(bundle), str(folder / "labs")]
    subprocess.run(command, check=True)
    labs = folder / "labs"
    # First where pip reaches no packages: there is an environment then, and a word of advice.
    offline = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    started = start_lab(labs, environment | offline)
    assert started.returncode == 1 and "When it does not install" in started.stderr
    assert Path(python(labs)).exists()
    unpack_what_is_here(labs)
    started = start_lab(labs, environment)
    assert started.returncode == 0, started.stdout[-2000:] + started.stderr[-4000:]
    assert re.fullmatch(r"4\.\d+\.\d+", started.stdout.strip().splitlines()[-1])
    return labs


def start_lab(labs: Path, environment: dict) -> subprocess.CompletedProcess:
    """The README's command; what follows it goes to JupyterLab."""
    return subprocess.run(
        [sys.executable, "lab.py", "--version"],
        cwd=labs, env=environment, capture_output=True, text=True, timeout=800,
    )  # fmt: skip


def unpack_what_is_here(labs: Path) -> None:
    """Give the new environment the labs' requirements as links to the files that this one has.

    pip still finds out what is required and fixed, and installs what is missing or another
    version; it only does not unpack more than a gigabyte once again.
    """
    project = tomllib.loads((labs / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for found in required(project["dependencies"]):
        place = Path(found.locate_file(""))
        for file in found.files or ():
            source = Path(os.path.normpath(place / file))
            if place.is_relative_to(sys.prefix) and source.is_relative_to(sys.prefix):
                link(source, labs / ".venv" / source.relative_to(sys.prefix), python(labs))


def required(requirements: list[str]) -> list[metadata.Distribution]:
    """The distributions here that these requirements need, directly or not."""
    found, waiting = {}, [(Requirement(text), "") for text in requirements]
    while waiting:
        wanted, extra = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        name = spelled(wanted.name)
        for extra in ("", *wanted.extras):
            if (name, extra) not in found:
                try:
                    found[name, extra] = metadata.distribution(name)
                except metadata.PackageNotFoundError:
                    continue  # left to pip
                needs = found[name, extra].requires or ()
                waiting += [(Requirement(text), extra) for text in needs]
    return [distribution for (_, extra), distribution in found.items() if not extra]


def link(source: Path, target: Path, python: str) -> None:
    """A file once more: a program that starts with the path of its Python with another one."""
    if not source.is_file() or target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.parent.name in ("bin", "Scripts") and source.read_bytes()[:2] == b"#!":
        _, rest = source.read_bytes().split(b"\n", 1)
        target.write_bytes(b"#!" + python.encode() + b"\n" + rest)
        shutil.copymode(source, target)
        return
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)


def python(labs: Path) -> str:
    return str(labs / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def start(labs: Path, environment: dict, code: str, *arguments: str) -> subprocess.Popen:
    """Run code with the student's Python, from another folder than theirs and ours."""
    return subprocess.Popen(
        [python(labs), "-c", code, *arguments],
        cwd=labs.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def result(process: subprocess.Popen) -> dict:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def it_has_the_course_and_nothing_of_the_instructors(labs: Path, environment: dict) -> None:
    facts = result(start(labs, environment, FACTS))
    assert not facts["autograde"]
    assert Path(facts["course_utils"]) == (labs / "course_utils" / "__init__.py").resolve()
    assert not [path for path in facts["path"] if Path(path).is_relative_to(ROOT)]
    lines = (labs / "constraints.txt").read_text().splitlines()
    fixed = {}
    for line in lines:
        if match := re.match(r"([\w.-]+)==([^\s;]+)", line):
            fixed.setdefault(spelled(match[1]), set()).add(match[2])
    present = {spelled(name): version for name, version in facts["versions"].items()}
    ours = {"policy-gradient-labs", "pip", "setuptools"}
    # torch's own label of how it was built (+cpu) is not part of the version
    wrong = {n: v for n, v in present.items() if v.split("+")[0] not in fixed.get(n, ())}
    assert set(wrong) <= ours and "torch" in present and "nbgrader" in present
    assert not {"pytest", "playwright", "jupytext", "rich"} & set(present)


def spelled(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def the_notebook_runs_as_released_and_as_solved(labs: Path, environment: dict) -> None:
    solved = corpus.solved_notebook(Course(ROOT), LAB)
    folder = (labs / NOTEBOOK).parent
    (folder / "solved.ipynb").write_text(json.dumps(solved), encoding="utf-8")
    running = [
        start(labs, environment, RUN, str(folder), name)
        for name in (f"{LAB}.ipynb", "solved.ipynb")
    ]
    untouched, done = [result(process) for process in running]
    tests = {cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in solved["cells"]}
    tests = {name for name in tests if name and name.startswith("test_")}
    assert len(tests) == 8
    assert set(untouched["errors"]) == tests and untouched["stderr"] == []
    assert done["errors"] == [] and done["stderr"] == []
    # trained, drawn, and played
    assert done["pictures"] >= 3 and done["videos"] >= 1


def the_students_command_checks_what_is_written(labs: Path, environment: dict) -> None:
    command = [python(labs), "-m", "course_utils", "check", LAB]
    done = subprocess.run(command, cwd=labs, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "0 of 8 exercises pass" in done.stdout, done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def jupyterlab_starts_without_the_instructors_tools(labs: Path, environment: dict) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = labs.parent / "jupyterlab.log"
    command = [sys.executable, "lab.py", "--no-browser", f"--port={port}"]
    command += ["--IdentityProvider.token=t", "--ServerApp.port_retries=0"]
    with log.open("w") as file:
        server = subprocess.Popen(
            command, cwd=labs, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    try:
        page = fetch(f"http://127.0.0.1:{port}/lab?token=t", server)
        config = json.loads(re.search(r"jupyter-config-data[^>]*>(.*?)</script>", page, re.S)[1])
        hidden = set(config["disabledExtensions"])
        assert "@jupyter/nbgrader:create-assignment" in hidden
        assert not {"@jupyter/nbgrader:validate-assignment", "@jupyter/nbgrader"} & hidden
        assert "@jupyter/nbgrader" in {e["name"] for e in config["federated_extensions"]}
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/formgrader?token=t", timeout=30)
        assert "Error" not in log.read_text()
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def fetch(address: str, server: subprocess.Popen) -> str:
    deadline = time.monotonic() + 90
    while True:
        assert server.poll() is None and time.monotonic() < deadline
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.2)
