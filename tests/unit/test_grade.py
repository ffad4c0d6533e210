"""Grading a class with nbgrader's gradebook: nobody is lost, nobody costs another their mark."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import mini
import pytest
from nbgrader.api import Gradebook

from autograde import backup, build, grade, pipeline, results
from autograde.course import COURSE_ID, Course
from autograde.errors import CourseError
from autograde.runstate import RunState


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = mini.make_course(tmp_path_factory.mktemp("course"))
    build.register(Course(folder), mini.LAB)
    return folder


@pytest.fixture
def folder(base, tmp_path):
    shutil.copytree(base, tmp_path / "c")
    return tmp_path / "c"


def run(folder, **options):
    options = {
        "execute": mini.fake_execute,
        "judge": mini.FakeJudge(),
        "make_executor": mini.Serial,
        "feedback": False,
        **options,
    }
    result = grade.grade_class(Course(folder), mini.LAB, **options)
    return {row.student: row for row in result.rows}, result


def marks(folder):
    with Gradebook(Course(folder).db_url, COURSE_ID) as gradebook:
        return {
            s.student.id: {g.name: (g.auto_score, g.needs_manual_grade) for g in n.grades}
            for s in gradebook.find_assignment(mini.LAB).submissions
            for n in s.notebooks
        }


HALF = "def square(x):\n    return abs(x) * 3.0"


def test_marks_reach_the_gradebook(folder):
    mini.hand_in(folder, "ann", mini.solved(folder))
    mini.hand_in(folder, "bob", mini.solved(folder, square=HALF))
    mini.hand_in(folder, "untouched", mini.release(folder))
    mini.hand_in(folder, "zip", b"PK\x03\x04")
    rows, result = run(folder)
    assert {name: row.status for name, row in rows.items()} == {
        "ann": "graded",
        "bob": "graded",
        "untouched": "graded",
        "zip": "refused",
    }
    stored = marks(folder)
    assert stored["ann"] == {
        "test_square": (2.0, False),
        "test_hypotenuse": (3.0, False),
        "why_positive": (None, True),
    }
    assert stored["bob"]["test_square"] == (1.0, False)
    assert set(stored["untouched"].values()) == {(0.0, False)}
    assert set(stored["zip"].values()) == {(0.0, False)}
    assert rows["ann"].score == 5 and rows["ann"].max == 6
    assert rows["untouched"].score == 0
    kept = Course(folder).autograded_path("zip", mini.LAB).read_text()
    assert "zip archive" in kept
    table = json.loads(result.to_json())
    assert [row["student"] for row in table["submissions"]] == ["ann", "bob", "untouched", "zip"]
    assert table["max"] == 6 and table["exercises"] == {"square": 2.0, "hypotenuse": 3.0}


def test_a_second_run_grades_only_what_changed(folder):
    for name in ("ann", "bob"):
        mini.hand_in(folder, name, mini.solved(folder))
    calls = []

    def counted(job):
        calls.append(job)
        return mini.fake_execute(job)

    run(folder, execute=counted)
    assert len(calls) == 2
    rows, _ = run(folder, execute=counted)
    assert len(calls) == 2 and all(row.unchanged for row in rows.values())
    mini.hand_in(folder, "bob", mini.solved(folder, square=HALF))
    rows, _ = run(folder, execute=counted)
    assert len(calls) == 3 and not rows["bob"].unchanged and rows["ann"].unchanged
    assert rows["bob"].recorded["test_square"] == 1.0
    run(folder, execute=counted, force=True)
    assert len(calls) == 5
    # Without its gradebook entry a stored row is worth nothing.
    (folder / "autograde" / "gradebook.db").unlink()
    run(folder, execute=counted)
    assert len(calls) == 7


def by_hand(folder, student, name, score):
    with Gradebook(Course(folder).db_url, COURSE_ID) as gradebook:
        mark = gradebook.find_grade(name, mini.LAB, mini.LAB, student)
        mark.manual_score, mark.needs_manual_grade = score, False
        gradebook.find_comment("why_positive", mini.LAB, mini.LAB, student).manual_comment = "Yes."
        gradebook.db.commit()


def test_a_mark_given_by_hand_survives_and_is_shown(folder):
    mini.hand_in(folder, "ann", mini.solved(folder))
    run(folder)
    by_hand(folder, "ann", "why_positive", 0.5)
    rows, _ = run(folder)
    assert rows["ann"].score == 5.5 and rows["ann"].needs_manual == []
    rows, _ = run(folder, force=True)
    assert rows["ann"].score == 5.5
    # Nothing that the mark was given for has changed: nobody has to look again.
    assert rows["ann"].needs_manual == []
    # Other code, the same answer.
    mini.hand_in(folder, "ann", mini.solved(folder, square=HALF))
    rows, _ = run(folder)
    assert rows["ann"].needs_manual == [] and rows["ann"].recorded["why_positive"] == 0.5
    # Another answer: the mark stays until a person has looked, and it is said.
    mini.hand_in(folder, "ann", mini.solved(folder, why_positive="They are."))
    rows, _ = run(folder)
    assert rows["ann"].recorded["why_positive"] == 0.5
    assert rows["ann"].needs_manual == ["why_positive"]
    rows, _ = run(folder, force=True)
    assert rows["ann"].needs_manual == ["why_positive"]
    with Gradebook(Course(folder).db_url, COURSE_ID) as gradebook:
        comment = gradebook.find_comment("why_positive", mini.LAB, mini.LAB, "ann")
        assert comment.manual_comment == "Yes."


def test_what_a_person_gave_reaches_the_feedback_of_a_submission_that_has_not_changed(folder):
    page = Course(folder).feedback_path("ann", mini.LAB)
    mini.hand_in(folder, "ann", mini.solved(folder))
    run(folder, feedback=True)
    assert "not graded yet" in page.read_text() and "Yes." not in page.read_text()
    by_hand(folder, "ann", "why_positive", 0.5)
    rows, _ = run(folder)
    assert rows["ann"].unchanged and "not graded yet" in page.read_text()  # feedback is off
    rows, _ = run(folder, feedback=True)
    assert rows["ann"].unchanged and rows["ann"].comments == {"why_positive": "Yes."}
    assert "Yes." in page.read_text() and "not graded yet" not in page.read_text()
    written = page.stat().st_mtime_ns
    run(folder, feedback=True)
    assert page.stat().st_mtime_ns == written
    page.unlink()
    run(folder, feedback=True)
    assert "5.5 of" in page.read_text()


def test_a_comment_that_quotes_markup_stays_text(folder):
    mini.hand_in(folder, "ann", mini.solved(folder))
    run(folder)
    with Gradebook(Course(folder).db_url, COURSE_ID) as gradebook:
        comment = gradebook.find_comment("why_positive", mini.LAB, mini.LAB, "ann")
        comment.manual_comment = "You wrote <script>evil()</script>, **not** $x^2$"
        gradebook.db.commit()
    run(folder, feedback=True)
    page = Course(folder).feedback_path("ann", mini.LAB).read_text()
    assert "<strong>not</strong>" in page and 'aria-label="x^2"' in page
    assert "<script" not in page


def test_points_of_a_test_changed_by_hand_survive(folder):
    mini.hand_in(folder, "ann", mini.solved(folder, square=HALF))
    run(folder)
    by_hand(folder, "ann", "why_positive", 1.0)
    by_hand(folder, "ann", "test_square", 1.75)
    rows, _ = run(folder, force=True)
    assert rows["ann"].recorded["test_square"] == 1.75 and rows["ann"].needs_manual == []
    # A new attempt with other code, under another name and then not at all.
    mini.hand_in(folder, "ann", mini.solved(folder))
    path = mini.hand_in(folder, "ann", mini.solved(folder), name="copy.ipynb")
    path.with_name(f"{mini.LAB}.ipynb").unlink()
    rows, _ = run(folder)
    assert rows["ann"].recorded["test_square"] == 1.75
    assert rows["ann"].needs_manual == ["test_square"]
    rows, _ = run(folder, force=True)
    assert rows["ann"].needs_manual == ["test_square"]
    path.write_bytes(b"PK")
    rows, _ = run(folder)
    assert rows["ann"].status == "refused"
    assert rows["ann"].recorded["test_square"] == 1.75


def test_one_submission_that_breaks_the_grader_costs_nobody_else(folder):
    for name in ("ann", "bob", "cat"):
        mini.hand_in(folder, name, mini.solved(folder))

    class Judge(mini.FakeJudge):
        calls = 0

        def judge(self, *arguments):
            Judge.calls += 1
            if Judge.calls == 3:
                raise ZeroDivisionError("boom")
            return super().judge(*arguments)

    rows, result = run(folder, judge=Judge())
    assert [row.status for row in rows.values()] == ["graded", "error", "graded"]
    assert [row.student for row in result.failed] == ["bob"]
    assert "ZeroDivisionError" in rows["bob"].reason and "\n" not in rows["bob"].reason
    details = folder / "autograde/state/mini_lab/errors/bob.txt"
    assert "boom" in details.read_text()
    assert "bob" not in marks(folder)
    rows, result = run(folder)
    assert rows["bob"].status == "graded" and rows["ann"].unchanged and not result.failed
    assert not details.exists()


@pytest.mark.parametrize("answer", [b"", b"{}", ValueError("engine")])
def test_an_engine_that_fails_is_listed(folder, answer):
    mini.hand_in(folder, "ann", mini.solved(folder))

    def broken(job):
        if isinstance(answer, Exception):
            raise answer
        return answer

    rows, _ = run(folder, execute=broken)
    assert rows["ann"].status == "error" and rows["ann"].score is None


@pytest.mark.parametrize("fault", ["timeouts", "kernels_killed"])
def test_a_timeout_or_a_killed_kernel_counts_only_the_second_time_and_alone(folder, fault):
    for name in ("ann", "bob"):
        mini.hand_in(folder, name, mini.solved(folder))
    seen = []

    def execute(job):
        result = json.loads(mini.fake_execute(job))
        seen.append(job)
        if len(seen) == 1:  # ann's first try
            result[fault] = 1
            result["observations"]["test_square"] = {"failure": "timeout"}
        return json.dumps(result).encode()

    rows, _ = run(folder, execute=execute)
    first, _, again = map(json.loads, seen)
    assert first["notebook"] == again["notebook"] and first["requests"] == again["requests"]
    # The first try ends at its first timeout; beside the second nothing runs, so it needs no more
    # time on the clock than its computing takes.
    assert first["stop_at_timeout"] and not again["stop_at_timeout"]
    assert again["limits"]["cell_cpu_s"] == first["limits"]["cell_cpu_s"]
    assert again["limits"]["cell_cpu_s"] < again["limits"]["cell_wall_s"]
    assert again["limits"]["cell_wall_s"] < first["limits"]["cell_wall_s"]
    assert rows["ann"].recorded["test_square"] == 2.0

    def always(job):
        result = json.loads(mini.fake_execute(job))
        result[fault] = 1
        result["observations"]["test_square"] = {"failure": "timeout"}
        seen.append(job)
        return json.dumps(result).encode()

    rows, _ = run(folder, execute=always, force=True, only=["bob"])
    assert len(seen) == 5
    assert rows["bob"].status == "graded" and rows["bob"].recorded["test_square"] == 0.0
    assert rows["bob"].recorded["test_hypotenuse"] == 3.0


def forked(jobs):
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def test_a_worker_that_dies_takes_nobody_with_it(folder):
    for name in ("ann", "bob", "cat", "dan"):
        mini.hand_in(folder, name, mini.solved(folder))
    mini.hand_in(folder, "bob", mini.solved(folder, square="DIE = 1\n" + mini.GOOD["square"]))
    rows, _ = run(folder, make_executor=forked, jobs=1)
    assert {name: row.status for name, row in rows.items()} == {
        "ann": "graded",
        "bob": "error",
        "cat": "graded",
        "dan": "graded",
    }


def test_a_killed_run_goes_on_with_the_same_seed(folder):
    for name in ("ann", "bob", "cat"):
        mini.hand_in(folder, name, mini.solved(folder))
    seeds, runs = [], []

    class Judge(mini.FakeJudge):
        def request(self, exercise_id, seed):
            seeds.append(seed)
            return super().request(exercise_id, seed)

    class Killed(BaseException):
        """What no handler of the grader may catch, as kill -9 cannot be."""

    def execute(job):
        runs.append(job)
        if len(runs) == 2:
            raise Killed
        return mini.fake_execute(job)

    with pytest.raises(Killed):
        run(folder, execute=execute, judge=Judge(), jobs=1)
    rows, _ = run(folder, execute=execute, judge=Judge(), jobs=1)
    assert len(set(seeds)) == 1
    assert {row.score for row in rows.values()} == {5.0}


def test_grading_again_asks_the_same_unless_fresh_inputs_are_wanted(folder):
    for name in ("ann", "bob"):
        mini.hand_in(folder, name, mini.solved(folder))
    seeds = []

    class Judge(mini.FakeJudge):
        def request(self, exercise_id, seed):
            seeds.append(seed)
            return super().request(exercise_id, seed)

    run(folder, judge=Judge())
    run(folder, judge=Judge(), force=True)
    mini.hand_in(folder, "late", mini.solved(folder))
    run(folder, judge=Judge())
    assert len(set(seeds)) == 1
    rows, _ = run(folder, judge=Judge(), fresh_inputs=True)
    assert len(set(seeds)) == 2
    assert len(rows) == 3 and not any(row.unchanged for row in rows.values())
    rows, _ = run(folder, judge=Judge())
    assert all(row.unchanged for row in rows.values())


@pytest.mark.parametrize("replaced", [False, True])
def test_a_lost_gradebook_with_marks_by_hand_is_not_replaced_by_an_empty_one(folder, replaced):
    mini.hand_in(folder, "ann", mini.solved(folder))
    run(folder)
    by_hand(folder, "ann", "why_positive", 0.5)
    run(folder)
    path = folder / "autograde" / "gradebook.db"
    path.unlink()
    if replaced:  # as collect does, which enters the roster's names
        build.make_gradebook(Course(folder))
    with pytest.raises(CourseError, match=r"1 marks.*gradebook-.*\.db"):
        run(folder)
    newest = max((folder / "autograde/state/backups").glob("*.db"))
    shutil.copyfile(newest, path)
    rows, _ = run(folder)
    assert rows["ann"].score == 5.5 and rows["ann"].unchanged


def test_two_runs_at_once_are_kept_apart(folder):
    mini.hand_in(folder, "ann", mini.solved(folder))
    with RunState(Course(folder), mini.LAB).locked(), pytest.raises(CourseError, match="another"):
        run(folder)


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_the_seed_is_the_instructors_secret(folder):
    course = Course(folder)
    state = RunState(course, mini.LAB)
    seed = state.start()
    assert seed == RunState(course, mini.LAB).start()
    assert (state.folder / "run.json").stat().st_mode & 0o077 == 0
    assert state.start(fresh=True) != seed


def test_late_is_shown_and_stored_from_the_instructors_record(folder):
    for name in ("ann", "bob"):
        mini.hand_in(folder, name, mini.solved(folder))
        mini.hand_in(folder, name, b"1999-01-01 00:00:00 UTC", name="timestamp.txt")
    (folder / "autograde" / "duedates.csv").write_text("lab,due\nmini_lab,2026-05-31T20:00Z\n")
    (folder / "autograde" / "state").mkdir(exist_ok=True)
    (folder / "autograde" / "state" / "received.csv").write_text(
        "student,lab,received\nann,mini_lab,2026-06-02T20:00Z\nbob,mini_lab,2026-05-31T19:00Z\n"
    )
    rows, result = run(folder)
    assert rows["ann"].late_seconds == 48 * 3600 and rows["bob"].late_seconds == 0
    with Gradebook(Course(folder).db_url, COURSE_ID) as gradebook:
        assert gradebook.find_submission(mini.LAB, "ann").total_seconds_late == 48 * 3600
        assert gradebook.find_submission(mini.LAB, "bob").total_seconds_late == 0
    assert "1 late" in result.legend()


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_late_penalty_set_in_nbgraders_way_counts_here_too(folder):
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    for student in ("ann", "bob"):
        mini.hand_in(folder, student, mini.solved(folder))
    (folder / "autograde" / "duedates.csv").write_text("lab,due\nmini_lab,2026-05-31T20:00Z\n")
    (folder / "autograde" / "state").mkdir(exist_ok=True)
    (folder / "autograde" / "state" / "received.csv").write_text(
        "student,lab,received\nann,mini_lab,2026-06-02T20:00Z\nbob,mini_lab,2026-05-31T19:00Z\n"
    )
    run(folder, feedback=True)
    with Gradebook(Course(folder).db_url, COURSE_ID) as gradebook:
        for student, penalty in (("ann", 5.0), ("bob", None)):
            notebook = gradebook.find_submission_notebook(mini.LAB, mini.LAB, student)
            assert notebook.score == 5.0 and notebook.late_submission_penalty == penalty
    page = Course(folder).feedback_path("ann", mini.LAB).read_text()
    assert "Handed in late" in page and "<td>-5</td>" in page and "0 of " in page
    assert "Handed in late" not in Course(folder).feedback_path("bob", mini.LAB).read_text()


def test_a_mistake_in_the_roster_is_found_before_the_first_mark(folder):
    mini.hand_in(folder, "ann", mini.solved(folder))
    (folder / "autograde" / "roster.csv").write_text("student,due_mini_lab\nann,soon\n")
    with pytest.raises(CourseError, match="line 2: due_mini_lab: 'soon' is not a time"):
        run(folder)
    assert marks(folder) == {}


def test_a_mistake_in_nbgraders_configuration_is_found_before_the_first_mark(folder):
    mini.hand_in(folder, "ann", mini.solved(folder))
    (folder / "nbgrader_config.py").write_text("c = get_config()\nc.X.y =\n")
    with pytest.raises(CourseError, match="nbgrader_config"):
        run(folder)


def test_nothing_beside_the_notebook_is_copied_out_of_a_submission(folder):
    path = mini.hand_in(folder, "ann", mini.solved(folder))
    (path.parent / "passwords").symlink_to("/etc/passwd")
    (path.parent / "data.csv").write_text("1")
    run(folder)
    kept = Course(folder).autograded_path("ann", mini.LAB).parent
    assert [p.name for p in kept.iterdir()] == ["mini_lab.ipynb"]


EVIL = '<script>alert("evil")</script><img src=x onerror=alert(1)>'


def test_feedback_shows_messages_and_no_hidden_test_and_no_script(folder):
    notebook = mini.solved(
        folder, why_positive=f"My answer {EVIL}", square=HALF + f"\nprint('{EVIL}')"
    )
    notebook["cells"].insert(
        3, {"cell_type": "markdown", "metadata": {}, "source": f"BEGIN HIDDEN TESTS {EVIL}"}
    )
    mini.hand_in(folder, "ann", notebook)
    mini.hand_in(folder, "zip", b"PK\x03\x04", name="<b>mini_lab.ipynb")
    rows, _ = run(folder, feedback=True)
    assert rows["ann"].status == "graded" and rows["zip"].status == "refused"
    page = Course(folder).feedback_path("ann", mini.LAB).read_text()
    assert "square: wrong" in page and "My answer" in page
    assert "hidden_test" not in page
    scripts = re.findall(r"<script[^>]*>[^<]*", page)
    assert not any("evil" in script for script in scripts)
    assert not re.search(r"<img[^>]*onerror", page)
    page = Course(folder).feedback_path("zip", mini.LAB).read_text()
    assert "mini_lab.ipynb is missing" in page and "<b>mini" not in page


def test_students_of_a_wrong_name_or_none_are_said_in_one_line(folder):
    with pytest.raises(CourseError, match="nobody has handed in mini_lab"):
        run(folder)
    mini.hand_in(folder, "ann", mini.solved(folder))
    with pytest.raises(CourseError, match="'bob' has handed in nothing"):
        run(folder, only=["bob"])


def test_grading_with_a_release_out_of_step_is_refused(folder):
    mini.hand_in(folder, "ann", mini.solved(folder))
    path = Course(folder).release_path(mini.LAB)
    path.write_bytes(path.read_bytes().replace(b'"points": 2', b'"points": 3'))
    with pytest.raises(CourseError, match="out of step"):
        run(folder)


def test_the_table_reads_well(folder):
    from rich.console import Console

    mini.hand_in(folder, "ann", mini.solved(folder, square=HALF))
    mini.hand_in(folder, "zip", b"PK\x03\x04", name="[red]mini_lab.ipynb")
    _, result = run(folder)
    console = Console(width=140, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(result.table())
    text = console.export_text()
    assert " square: wrong" in text and "[red]mini_lab.ipynb" in text and "?" in text
    assert "1 graded, 1 refused" in result.legend()


def test_the_score_in_the_gradebook_is_checked_against_the_verdict(folder, monkeypatch):
    mini.hand_in(folder, "ann", mini.solved(folder, square=HALF))
    monkeypatch.setattr(pipeline, "verdict_outputs", lambda verdict: [])
    rows, _ = run(folder)
    assert rows["ann"].status == "error" and "the judge gave" in rows["ann"].reason


def test_every_run_leaves_a_copy_of_the_gradebook_from_before(folder):
    copies = Course(folder).state / "backups"
    mini.hand_in(folder, "ann", mini.solved(folder))
    run(folder)
    run(folder)
    before = sorted(copies.iterdir())
    assert before
    mini.hand_in(folder, "ann", mini.solved(folder, square=HALF))
    rows, _ = run(folder)
    assert rows["ann"].score == 1
    newest = sorted(copies.iterdir())[-1]
    # Taking the run back is copying a file, and the next run grades what is then open.
    gradebook = folder / "autograde" / "gradebook.db"
    shutil.copyfile(newest, gradebook)
    assert marks(folder)["ann"]["test_square"] == (2.0, False)
    rows, _ = run(folder)
    assert rows["ann"].recorded["test_square"] == 1.0 and not rows["ann"].unchanged
    run(folder)
    count = len(list(copies.iterdir()))
    # Nothing has changed in between: no further copy.
    rows, _ = run(folder)
    assert rows["ann"].unchanged and len(list(copies.iterdir())) == count
    for number in range(backup.KEPT + 3):
        by_hand(folder, "ann", "why_positive", number / 100)
        backup.keep(Course(folder))
    assert len(list(copies.iterdir())) == backup.KEPT


def test_a_gradebook_that_cannot_be_read_is_one_clear_line(folder):
    mini.hand_in(folder, "ann", mini.solved(folder))
    run(folder)
    (folder / "autograde" / "gradebook.db").write_bytes(b"not a database, whatever it was" * 300)
    with pytest.raises(CourseError, match=r"gradebook\.db cannot be read .*backups"):
        run(folder)


def test_a_changed_hidden_test_grades_everyone_again(folder, monkeypatch):
    mini.hand_in(folder, "ann", mini.solved(folder))
    run(folder)
    assert run(folder)[0]["ann"].unchanged
    monkeypatch.setattr(pipeline, "tests_digest", lambda: "other code")
    assert not run(folder)[0]["ann"].unchanged


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_gradebook_whose_writer_was_killed_is_rolled_back_and_copied(folder):
    mini.hand_in(folder, "ann", mini.solved(folder))
    run(folder)
    before = marks(folder)
    code = (
        "import os, sqlite3, sys\n"
        "book = sqlite3.connect(sys.argv[1])\n"
        "book.execute('pragma cache_size = 1')\n"
        "book.execute('update grade set auto_score = 99')\n"
        "book.execute('create table filler (x)')\n"
        "book.executemany('insert into filler values (?)', [('x' * 500,)] * 2000)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    gradebook = folder / "autograde" / "gradebook.db"
    subprocess.run([sys.executable, "-c", code, str(gradebook)])
    assert gradebook.with_name("gradebook.db-journal").stat().st_size > 0
    (folder / "autograde" / "state" / "mini_lab" / "graded" / "ann.json").unlink()
    rows, _ = run(folder)
    assert rows["ann"].status == "graded" and marks(folder) == before


def test_an_exercise_is_named_once_in_what_went_wrong():
    wrong = {"score": 0.0, "max": 2.0, "message": "a: not right yet.\n\n  input x", "mistake": None}
    row = results.Row("ann", "graded", exercises={"a": wrong})
    assert row.what_went_wrong == "a: not right yet."
