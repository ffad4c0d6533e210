"""The corpus command for real: four files through the sandbox, the judge and the report."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from autograde import cli, corpus
from autograde.judge.mistakes import CORPUS
from autograde.sandbox.launcher import SandboxUnavailable
from autograde.sandbox.probe import choose

try:
    choose()
    WHY_NOT = ""
except SandboxUnavailable as error:
    WHY_NOT = str(error)

EXERCISE = "lab5_ppo/approx_kl"
FILES = ("ok_plain.py", "ok_math_loop.py", "bad_k1.py", "bad_sum.py")


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_right_and_wrong_solutions_and_a_file_that_is_none(tmp_path, capsys, monkeypatch):
    folder = tmp_path / EXERCISE
    folder.mkdir(parents=True)
    for name in FILES:
        shutil.copy(CORPUS / EXERCISE / name, folder)
    # A wrong solution that claims to be right: to the tests, a right one that they harm.
    shutil.copy(folder / "bad_k1.py", folder / "ok_claimed.py")
    (folder / "bad_torn.py").write_bytes(b"\xff\xfe\x00")
    times = []
    really_run = corpus.run

    def run(items, jobs, on_result, *rest, **options):
        def noted(result):
            times.append(time.monotonic())
            on_result(result)

        return really_run(items, jobs, noted, *rest, **options)

    monkeypatch.setattr(corpus, "run", run)
    file = tmp_path / "results.json"
    # a lab's own folder will do
    status = cli.main(["corpus", str(folder.parent), "--jobs", "1", "--json", str(file)])
    out = capsys.readouterr().out
    results = json.loads(file.read_text())["exercises"][EXERCISE]
    assert status == 1 and set(results) == {*FILES, "ok_claimed.py", "bad_torn.py"}
    for name in FILES:
        result, right = results[name], name.startswith("ok_")
        assert (result["score"] == result["max"]) is right and result["max"] > 0
        assert result["visible_pass"] is right
        assert right or result["mistake"]
    assert results["ok_claimed.py"] == results["bad_k1.py"]
    assert results["bad_torn.py"]["score"] is None
    assert "1/3" in out and "2/2 (100%)" in out
    assert f"correct, lost points: {EXERCISE}/ok_claimed.py" in out
    assert out.splitlines()[-1] == f"{EXERCISE}/bad_torn.py: not graded: it is not UTF-8 text"
    # Half a second each when nothing else runs; the first of them waited for the start.
    each = (times[-1] - times[1]) / len(FILES)
    assert each < 3, f"a file takes {each:.1f} s"
