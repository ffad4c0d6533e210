"""A checkout is graded with its own course_utils wherever it lies, and one that fails says so."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from autograde.sandbox import launcher
from autograde.sandbox import probe as probing
from autograde.sandbox.launcher import REPOSITORY, KernelServer, SandboxUnavailable

WALLS = [
    pytest.param(wall, marks=pytest.mark.skipif(not found.works, reason=found.why_not))
    for wall in ("bwrap", "unshare")
    for found in [probing.probe(wall)]
]

# Run from the checkout: what a student's code finds of it, and whether it may use /tmp.
SCRIPT = """
import sys, time
from autograde import execution
from autograde.sandbox.launcher import KernelServer

server = KernelServer(sys.argv[1], warm=False)
session = execution._Session(server.spawn(execution.LIMITS), dict(execution.LIMITS))
code = '''
import os, course_utils, numpy
open("/tmp/mine", "w").close()
print(course_utils.MARK, os.path.exists("/tmp/mine"), os.path.exists(SECRET), numpy.arange(3).sum())
'''
code = code.replace("SECRET", repr(sys.argv[2]))
run = session.run(code, time.monotonic() + 60, output_bytes=2000)
print(*[output.get("text") or output for output in run.outputs.finish()])
session.close()
server.close()
"""


@pytest.fixture
def checkout():
    """The two packages below /tmp, which the sandbox covers with a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="checkout", dir="/tmp"))
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("course_utils", "autograde/sandbox"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    for name in ("__init__.py", "execution.py"):
        shutil.copy(REPOSITORY / "autograde" / name, folder / "autograde")
    with open(folder / "course_utils" / "__init__.py", "a") as file:
        file.write('\nMARK = "this checkout"\n')
    yield folder
    shutil.rmtree(folder)


def seen_inside(checkout, wall, python):
    made = subprocess.run(
        [python, "-c", SCRIPT, wall, str(checkout / "autograde")],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.mark.parametrize("wall", WALLS)
def test_checkout_below_tmp_under_another_checkouts_environment(checkout, wall):
    assert seen_inside(checkout, wall, sys.executable) == "this checkout True False 3"


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="not in a virtual environment")
@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("kind", ["link", "own"])
def test_environment_below_tmp(checkout, wall, kind):
    environment = checkout / ".venv"
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    if kind == "link":
        environment.symlink_to(sys.prefix)
    else:  # one of its own that finds its packages elsewhere
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        own = environment / Path(packages).relative_to(sys.prefix)
        (own / "others.pth").write_text(packages + "\n")
    python = str(environment / "bin" / "python")
    assert seen_inside(checkout, wall, python) == "this checkout True False 3"


@pytest.mark.parametrize("wall", [*WALLS, "none"])
def test_course_utils_that_cannot_be_imported_is_said_and_not_graded(tmp_path, monkeypatch, wall):
    package = tmp_path / "course_utils"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('its library is gone')\n")
    monkeypatch.setattr(launcher, "course_package", lambda: package)
    with pytest.raises(SandboxUnavailable) as caught:
        KernelServer(wall)
    assert (
        "course_utils cannot be imported inside the sandbox: ImportError: its library is gone"
        in (str(caught.value))
    )
