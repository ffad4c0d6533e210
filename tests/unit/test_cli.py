"""The command line: quick to start, one line for a mistake, exit statuses that mean something."""

from __future__ import annotations

import subprocess
import sys
import time

import mini
import pytest

from autograde import cli


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return mini.make_course(tmp_path_factory.mktemp("course"))


MISTAKES = {
    "no such command": (["bild"], "No such command 'bild'"),
    "no lab": (["grade"], "Missing argument 'LAB'"),
    "unknown lab": (["grade", "mini_lap", "--course", "."], "did you mean mini_lab"),
    "unknown lab to build": (["build", "lab99", "--course", "."], "labs: mini_lab"),
    "unknown option": (["grade", "mini_lab", "--fast"], "No such option"),
    "no number": (["grade", "mini_lab", "--jobs", "many"], "'many' is not"),
    "zero jobs": (["grade", "mini_lab", "--jobs", "0"], "--jobs"),
    "no course": (["build", "--course", "/nonexistent"], "is not a course"),
    "nobody": (["grade", "mini_lab", "--course", "."], "nobody has handed in mini_lab"),
    "unknown executor": (["grade", "mini_lab", "--executor", "slurm://x"], "is not one of: local"),
    "demo into a full folder": (["demo", "--keep", "."], "is not empty"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(folder, name, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    arguments, expected = MISTAKES[name]
    status = cli.main(arguments)
    out, err = capsys.readouterr()
    assert expected in err and out == ""
    assert len(err.strip().splitlines()) == 1
    assert status == 2


def test_build_says_what_it_did_and_check_exits_1_when_out_of_step(folder, capsys):
    course = ["--course", str(folder)]
    assert cli.main(["build", *course]) == 0
    assert capsys.readouterr().out == "notebooks/mini_lab/mini_lab.ipynb unchanged\n"
    assert cli.main(["build", "--check", "mini_lab", *course]) == 0
    path = folder / "notebooks" / "mini_lab" / "mini_lab.ipynb"
    path.write_text("{}")
    assert cli.main(["build", "--check", *course]) == 1
    assert "run: python -m autograde build mini_lab" in capsys.readouterr().err
    assert cli.main(["build", *course]) == 0
    assert capsys.readouterr().out == "notebooks/mini_lab/mini_lab.ipynb written\n"


def test_grading_reports_and_its_status_tells_whether_all_have_a_mark(folder, capsys, monkeypatch):
    from autograde import pipeline

    mini.hand_in(folder, "ann", mini.solved(folder))
    mini.hand_in(folder, "zip", b"PK\x03\x04")
    mini.run_in_this_process(monkeypatch)
    command = ["grade", "mini_lab", "--no-feedback", "--course", str(folder)]
    assert cli.main(command) == 0
    out, err = capsys.readouterr()
    assert "ann: 5/6" in err and "zip: 0/6" in err and "zip archive" in err
    assert "2 submissions" in out and "1 refused" in out
    assert cli.main([*command, "--json", "-"]) == 0
    out, _ = capsys.readouterr()
    assert '"unchanged": true' in out and out.startswith("{")
    assert cli.main([*command, "--json", str(folder / "no" / "such" / "file")]) == 2
    monkeypatch.setattr(pipeline, "default_execute", lambda: lambda job: b"")
    assert cli.main([*command, "--force"]) == 1
    assert "WITHOUT A MARK" in capsys.readouterr().out


def test_no_isolation_is_said_in_one_line_that_names_the_way_out(folder, capsys, monkeypatch):
    from autograde.sandbox import probe

    mini.hand_in(folder, "ann", mini.solved(folder))
    missing = probe.Protections("bwrap", False, why_not="there is no bwrap on this machine")
    monkeypatch.setattr(probe, "probe", lambda wall: missing)
    assert cli.main(["grade", "mini_lab", "--course", str(folder)]) == 1
    err = capsys.readouterr().err
    assert "--unsandboxed" in err and len(err.strip().splitlines()) == 1


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys; from autograde.cli import main; status = main(['--help']);"
        "heavy = {'torch', 'nbgrader', 'nbconvert', 'jupytext', 'rich'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    started = time.process_time()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("build", "grade", "demo", "corpus"))
    assert time.process_time() - started < 1


def test_a_command_and_its_workers_do_without_grammars_that_nothing_asks_for():
    """rfc3987_syntax takes longer to import than nbgrader; jsonschema does without it too."""
    code = (
        "import runpy, sys; sys.argv[1:] = ['--help'];"
        "runpy.run_module('autograde', run_name='__mp_main__');"  # as a worker process begins
        "import nbformat; nbformat.validate(nbformat.v4.new_notebook());"
        "sys.exit('lark' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
