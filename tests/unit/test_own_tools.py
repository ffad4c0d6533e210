"""The commands work in an environment that nobody activated."""

import os
import subprocess
import sys
from pathlib import Path


def test_a_gradebook_can_be_made_without_activating_the_environment(tmp_path):
    code = (
        "from autograde.course import COURSE_ID, Course\n"
        "from nbgrader.api import Gradebook\n"
        f"Gradebook('sqlite:///{tmp_path}/gradebook.db', COURSE_ID).close()\n"
    )
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own)
    environment = {**os.environ, "PATH": path}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
    assert (tmp_path / "gradebook.db").is_file()
