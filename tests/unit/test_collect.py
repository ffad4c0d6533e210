"""Collecting: what arrives is kept, matched, dated and put in place, and nothing is lost."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
import tracemalloc
import zipfile
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import mini
import pytest
import zips

from autograde import attempts, cli, collect_report, collecting, grade, intake, pipeline, placed
from autograde import roster as roster_module
from autograde.course import Course
from autograde.errors import CourseError
from autograde.runstate import RunState

LAB = mini.LAB
NOTEBOOK = f"{LAB}.ipynb"
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return mini.make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def course(base, tmp_path):
    shutil.copytree(base, tmp_path / "c")
    return Course(tmp_path / "c")


@pytest.fixture(scope="module")
def good(base):
    return json.dumps(mini.solved(base)).encode()


@pytest.fixture(autouse=True)
def no_gradebook(monkeypatch):
    """Making one takes seconds; tests/unit/test_roster.py and the e2e test have real ones."""
    monkeypatch.setattr(roster_module, "enter_names", lambda course, people: 0)


def version(base, number: int) -> bytes:
    return json.dumps(mini.solved(base, why_positive=f"answer {number}")).encode()


def moodle(name: str, number: int, file: str = NOTEBOOK) -> str:
    return f"{name}_{number}_assignsubmission_file/{file}"


def run(course, files=None, **options) -> dict[str, collect_report.Outcome]:
    """Collect a zip of `files` (or options['path']); the outcomes by label."""
    path = options.pop("path", None)
    if files is not None:
        path = zips.write(course.root.parent / "download.zip", files)
    report = collecting.collect(course, LAB, path, **options)
    return {row.label: row for row in report.outcomes}


def roster(course, text: str) -> None:
    (course.root / "autograde").mkdir(exist_ok=True)
    (course.root / "autograde" / "roster.csv").write_text(text)


def table(course, text: str, zone=BERLIN) -> dict:
    path = course.root.parent / "times.csv"
    path.write_text(text)
    return {"times_file": path, "zone": zone}


def submitted(course) -> dict[str, bytes]:
    return {
        str(path.relative_to(course.submitted)): path.read_bytes()
        for path in course.submitted.rglob("*")
        if path.is_file()
    }


def tree(course) -> dict[str, bytes]:
    """Every file of the course but the locks and the gradebook."""
    return {
        str(path.relative_to(course.root)): path.read_bytes()
        for path in course.root.rglob("*")
        if path.is_file() and path.name not in ("lock", "gradebook.db")
    }


def take(course, student):
    return intake.take_in(course, student, LAB, pipeline.load_lab(course, LAB).skeleton)


# --- layouts -----------------------------------------------------------------------------------


def test_moodles_zip_without_a_roster(course, good):
    own = zips.zipped({f"deep/er/{NOTEBOOK}": good, "__MACOSX/._x": b""})
    files = {moodle("Ann Lee", 101): good, moodle("Zoë 李", 102, "lab.zip"): own}
    rows = run(course, {**files, moodle("B", 103, f"{LAB} (1).ipynb"): good})
    assert [(row.label, row.what) for row in rows.values()] == [(s, "new") for s in rows]
    assert submitted(course) == {f"{n}/{LAB}/{NOTEBOOK}": good for n in (101, 102, 103)}
    for student in ("101", "102", "103"):
        assert take(course, student).refusal is None and take(course, student).notes == ()


def test_a_folder_for_each_student_in_either_layout(course, good, tmp_path):
    files = {f"ann/{NOTEBOOK}": good, f"bob/{LAB}/{NOTEBOOK}": good, "bob/other.txt": b"",
             f"bob/other_lab/{LAB}.ipynb": b"x", "cy/hand in.zip": zips.zipped({NOTEBOOK: good}),
             "loose.ipynb": good}  # fmt: skip
    (course.solutions / "other_lab.py").write_text("")
    for name, data in files.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    rows = run(course, path=tmp_path / "in")
    assert submitted(course) == {f"{n}/{LAB}/{NOTEBOOK}": good for n in ("ann", "bob", "cy")}
    assert "in no student's folder" in rows["loose.ipynb"].what
    kept = list((course.collected / LAB / ".unmatched").rglob("loose.ipynb"))
    assert [path.read_bytes() for path in kept] == [good]
    # The same as a zip with a folder around it.
    shutil.rmtree(course.root / "autograde")
    around = {f"all/{name}": data for name, data in files.items() if "/" in name}
    run(course, around)
    assert set(submitted(course)) == {f"{n}/{LAB}/{NOTEBOOK}" for n in ("ann", "bob", "cy")}


def test_canvas_versions_are_attempts_and_the_last_upload_counts(course, base):
    files = {
        f"leeann_12_347_{LAB}-1.ipynb": version(base, 2),
        f"leeann_12_345_{LAB}.ipynb": version(base, 1),
        "leeann_12_348_data.csv": b"1,2",
        f"odowbob_LATE_13_346_{LAB}.ipynb": version(base, 3),
    }
    rows = run(course, files)
    assert rows["12"].attempts == 2 and submitted(course)[f"12/{LAB}/{NOTEBOOK}"] == version(
        base, 2
    )
    assert submitted(course)[f"12/{LAB}/data.csv"] == b"1,2"
    assert rows["13"].late == "late, says the LMS"
    late = take(course, "13")
    assert late.late == intake.MARKED_LATE and "marked as late" in late.notes[0]
    before = tree(course)
    assert run(course, files)["12"].what == "unchanged" and tree(course) == before
    # A time that is known goes before the mark.
    rows = run(course, files, **table(course, "lms_id,received\n13,2026-05-31T10:00Z\n"))
    assert rows["13"].late == "-" and take(course, "13").late == timedelta(0)


def test_the_layout_can_be_told(course, good):
    files = {f"ann_1_2_{NOTEBOOK}": good, f"ann/{NOTEBOOK}": good, f"bob/{NOTEBOOK}": good}
    rows = run(course, files, lms="canvas")
    assert rows["1"].what == "new"
    assert "not named as Canvas does" in rows["ann"].what


# --- matching ----------------------------------------------------------------------------------

CLASS = {moodle("Ann Lee", 101): b"", moodle("Kim Park", 102): b"", moodle("Eve", 103): b""}


def test_what_the_roster_does_not_know_is_kept_and_comes_in_by_itself(course, good):
    files = dict.fromkeys(CLASS, good)
    roster(course, "student,full_name\nann,Ann Lee\nkim1,Kim Park\nkim2,Kim Park\n")
    rows = run(course, files)
    assert set(submitted(course)) == {f"ann/{LAB}/{NOTEBOOK}"}
    assert "may be kim1 and kim2" in rows["Kim Park (102)"].problem
    assert "lms_id_mini_lab" in rows["Eve (103)"].problem
    before = tree(course)
    assert run(course, remap=True)["Eve (103)"].problem and tree(course) == before
    roster(course, "student,full_name,lms_id_mini_lab\nann,Ann Lee,\nkim1,Kim Park,\n"
                   "kim2,Kim Park,102\neve,Eve,\n")  # fmt: skip
    rows = run(course, remap=True)
    assert set(submitted(course)) == {f"{s}/{LAB}/{NOTEBOOK}" for s in ("ann", "kim2", "eve")}
    assert rows["eve"].what == "matched now" and "ann" not in rows
    assert not (course.collected / LAB / ".unmatched").exists() or not any(
        (course.collected / LAB / ".unmatched").rglob("*.ipynb")
    )


def test_moodles_worksheet_tells_namesakes_apart(course, good):
    roster(course, "student,full_name,email\nkim1,Kim Park,k1@x\nkim2,Kim Park,k2@x\n")
    files = {moodle("Kim Park", 102): good, moodle("Kim Park", 103): good}
    assert all(row.problem for row in run(course, files).values())
    worksheet = ("Identifier,Full name,Email address,Last modified (submission)\n"
                 "Participant 102,Kim Park,k2@x,-\nParticipant 103,Kim Park,k1@x,-\n")  # fmt: skip
    rows = run(course, files, **table(course, worksheet))
    assert set(rows) == {"kim1", "kim2"}
    # What it said is remembered.
    assert set(run(course, files)) == {"kim1", "kim2"}


def test_two_people_who_could_be_one_student_are_nobody(course, good):
    """Only one of two namesakes is on the roster: neither may get the other's marks."""
    roster(course, "student,full_name\nann,Ann Lee\n")
    assert run(course, {moodle("Ann Lee", 101): good})["ann"].what == "new"
    rows = run(course, {moodle("Ann Lee", 101): good, moodle("Ann Lee", 109): good})
    assert submitted(course) == {} and len(rows) == 2
    assert "could all be ann" in rows["Ann Lee (109)"].problem
    roster(course, "student,full_name,lms_id_mini_lab\nann,Ann Lee,101\n")
    rows = run(course, remap=True)
    assert set(submitted(course)) == {f"ann/{LAB}/{NOTEBOOK}"}
    assert "could all be ann" in rows["Ann Lee (109)"].problem


def test_a_roster_that_comes_later_renames(course, good):
    run(course, {moodle("Ann Lee", 101): good})
    assert set(submitted(course)) == {f"101/{LAB}/{NOTEBOOK}"}
    roster(course, "student,full_name\nann,Ann Lee\n")
    rows = run(course, remap=True)
    assert rows["ann"].what == "matched now; was 101" and set(rows) == {"ann"}
    assert set(submitted(course)) == {f"ann/{LAB}/{NOTEBOOK}"}
    assert intake.students(course, LAB) == ["ann"]


def test_a_roster_given_becomes_the_courses_and_the_former_is_kept(course, good, tmp_path):
    roster(course, "student\nold\n")
    (tmp_path / "new.csv").write_text("student;full_name\nann;Ann Lee\n")
    run(course, {moodle("Ann Lee", 101): good}, roster_file=tmp_path / "new.csv", dry_run=True)
    assert (course.root / "autograde" / "roster.csv").read_text() == "student\nold\n"
    rows = run(course, {moodle("Ann Lee", 101): good}, roster_file=tmp_path / "new.csv")
    assert "ann" in rows
    assert (course.root / "autograde" / "roster.csv").read_text().startswith("student;full_name")
    assert (course.root / "autograde" / "roster.csv.before").read_text() == "student\nold\n"


# --- attempts ----------------------------------------------------------------------------------


def test_every_attempt_is_kept_and_the_newest_counts(course, base):
    when = "lms_id,received\n101,2026-05-{:02}T12:00Z\n"
    for day in (1, 5, 3):
        rows = run(course, {moodle("A", 101): version(base, day)},
                   **table(course, when.format(day)))  # fmt: skip
    assert rows["101"].what == "older attempt, kept" and rows["101"].attempts == 3
    assert submitted(course)[f"101/{LAB}/{NOTEBOOK}"] == version(base, 5)
    names = sorted(path.name[:16] for path in (course.collected / LAB / "101").iterdir())
    assert names == ["20260501T120000Z", "20260503T120000Z", "20260505T120000Z"]
    assert course.received(LAB) == {"101": datetime(2026, 5, 5, 12)}


def test_without_times_the_last_download_counts(course, base):
    first, second = ({moodle("A", 101): version(base, n)} for n in (1, 2))
    run(course, first)
    before = tree(course)
    assert run(course, first)["101"].what == "unchanged" and tree(course) == before
    assert run(course, second)["101"].what == "newer attempt"
    assert "counts again" in run(course, first)["101"].what
    assert submitted(course)[f"101/{LAB}/{NOTEBOOK}"] == version(base, 1)
    assert run(course, first)["101"].attempts == 2
    # Each collect that brought something can be taken back, the last one first.
    run(course, undo=True)
    assert submitted(course)[f"101/{LAB}/{NOTEBOOK}"] == version(base, 2)
    run(course, undo=True)
    assert submitted(course)[f"101/{LAB}/{NOTEBOOK}"] == version(base, 1)
    assert run(course, undo=True)["101"].what == "the only attempt was taken back"
    assert submitted(course) == {} and intake.students(course, LAB) == []
    assert len(list((course.collected / LAB / ".undone").rglob(NOTEBOOK))) == 2
    with pytest.raises(CourseError, match="nothing of mini_lab"):
        run(course, undo=True)


def test_a_download_of_which_nothing_can_be_graded_is_asked_about(course, good):
    def said(files):
        path = zips.write(course.root.parent / "download.zip", files)
        return "\n".join(collect_report.summary(collecting.collect(course, LAB, path), course))

    right = {moodle("A", 101): good, moodle("B", 102): good}
    assert "right download?" not in said(right)
    wrong = {moodle(who, n, "lab.html"): b"<p>" for n, who in ((101, "A"), (102, "B"))}
    text = said(wrong)
    assert "2 with a newer attempt" in text and "right download? python" in text
    # The older download again: what it holds counts, and that is said where students are counted.
    text = said({**right, moodle("B", 102): b"{"})
    assert "right download?" not in text and "1 with an earlier attempt again, which counts" in text


def test_a_later_download_counts_though_its_time_seems_earlier(course, base):
    """Moodle's times are to the minute, and a wrong zone moves them by hours."""
    run(course, {moodle("A", 101): version(base, 1)})
    when = f"{now() - timedelta(hours=3):%Y-%m-%dT%H:%MZ}"
    rows = run(course, {moodle("A", 101): version(base, 2)},
               **table(course, f"lms_id,received\n101,{when}\n"))  # fmt: skip
    assert rows["101"].what == "newer attempt"
    assert submitted(course)[f"101/{LAB}/{NOTEBOOK}"] == version(base, 2)
    # Of two known times the later one counts, whenever it was collected.
    rows = run(course, {moodle("A", 101): version(base, 3)},
               **table(course, "lms_id,received\n101,2026-01-01T00:00Z\n"))  # fmt: skip
    assert rows["101"].what == "older attempt, kept"


def test_a_wrong_time_zone_is_put_right_by_collecting_again(course, good):
    files = {moodle("A", 101): good}
    text = "lms_id,received\n101,2026-05-31T12:00\n"
    run(course, files, **table(course, text, timezone.utc))
    assert course.received(LAB) == {"101": datetime(2026, 5, 31, 12)}
    run(course, files, **table(course, text))
    assert course.received(LAB) == {"101": datetime(2026, 5, 31, 10)}
    assert run(course, files)["101"].what == "unchanged"
    run(course, undo=True)
    assert course.received(LAB) == {"101": datetime(2026, 5, 31, 12)}


def test_a_dry_run_changes_nothing_and_says_what_would_happen(course, good):
    files = {moodle("A", 101): good}
    before = tree(course)
    assert run(course, files, dry_run=True)["101"].what == "new"
    assert tree(course) == before and not (course.root / "autograde" / "collected").exists()
    run(course, files)
    before = tree(course)
    rows = run(course, {moodle("A", 101): b"{}"}, dry_run=True)
    assert "newer attempt; refused" in rows["101"].what and tree(course) == before
    assert run(course, undo=True, dry_run=True)["101"].what.startswith("the only attempt")
    assert tree(course) == before


def test_what_lies_in_submitted_by_hand_is_kept(course, good, base):
    mini.hand_in(course.root, "101", version(base, 9))
    mini.hand_in(course.root, "other", version(base, 8))
    time.sleep(0.02)
    run(course, {moodle("A", 101): good})
    assert submitted(course)[f"101/{LAB}/{NOTEBOOK}"] == good
    assert submitted(course)[f"other/{LAB}/{NOTEBOOK}"] == version(base, 8)
    kept = [p.read_bytes() for p in (course.collected / LAB / "101").rglob(NOTEBOOK)]
    assert sorted(kept) == sorted([good, version(base, 9)])
    # A mended file is newer than what it was made from, however often that is collected.
    time.sleep(0.02)
    mini.hand_in(course.root, "101", version(base, 10))
    for _ in range(2):
        rows = run(course, {moodle("A", 101): good})
        assert submitted(course)[f"101/{LAB}/{NOTEBOOK}"] == version(base, 10)
        assert "by hand" in rows["101"].what and rows["101"].attempts == 3
    # But not newer than what is handed in after it.
    time.sleep(0.02)
    run(course, {moodle("A", 101): version(base, 11)})
    assert submitted(course)[f"101/{LAB}/{NOTEBOOK}"] == version(base, 11)
    for _ in range(2):
        run(course, undo=True)
    assert submitted(course)[f"101/{LAB}/{NOTEBOOK}"] == version(base, 10)


def test_what_cannot_be_copied_of_a_folder_put_there_by_hand_is_kept_as_it_was(
    course, good, monkeypatch
):
    monkeypatch.setattr(attempts, "MAX_FILES", 3)
    for number in range(9):
        mini.hand_in(course.root, "1", b"%d" % number, name=f"{number}.txt")
    time.sleep(0.02)
    run(course, {moodle("A", 1): good})
    assert submitted(course) == {f"1/{LAB}/{NOTEBOOK}": good}
    (found,) = course.collected.rglob("found")
    assert {p.read_bytes() for p in found.iterdir()} == {b"%d" % n for n in range(9)}


def test_students_whose_ids_differ_in_case_are_two(course, good, base):
    files = {f"Ann/{NOTEBOOK}": good, f"ann/{NOTEBOOK}": version(base, 1)}
    for name, data in files.items():
        path = course.root.parent / "in" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    assert set(run(course, path=course.root.parent / "in")) == {"Ann", "ann"}
    roster(course, "student\nann\nbob\n")
    path = course.root.parent / "in"
    report = collecting.collect(course, LAB, path)
    assert len(report.unmatched) == 2 and "could all be ann" in report.unmatched[0].problem
    assert report.absent == ["ann", "bob"]


def test_a_full_disk_is_one_line_and_changes_nothing(course, good, monkeypatch):
    before = tree(course)

    def full(entry, target, *arguments):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(attempts.archives, "save", full)
    with pytest.raises(CourseError, match="No space left on device; when that is put right"):
        run(course, {moodle("A", 1): good})
    assert tree(course) == before


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_in_submitted_are_not_followed(course, good, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("1")
    (course.submitted / "101").mkdir(parents=True)
    (course.submitted / "101" / LAB).symlink_to(outside)
    run(course, {moodle("A", 101): good})
    assert [p.name for p in outside.iterdir()] == ["precious"]
    assert submitted(course) == {f"101/{LAB}/{NOTEBOOK}": good}
    (course.submitted / "102").symlink_to(outside)
    with pytest.raises(CourseError, match="is a link"):
        run(course, {moodle("B", 102): good})
    assert [p.name for p in outside.iterdir()] == ["precious"]


# --- refused -----------------------------------------------------------------------------------

REFUSED = {
    "encrypted": (zips.encrypted(NOTEBOOK, b"x" * 50), "encrypted"),
    "link": (zips.symlink(NOTEBOOK, "/etc/passwd"), "is a link"),
    "damaged": (zips.damaged(NOTEBOOK, b"x" * 50), "damaged"),
    "bomb": (zips.bomb(NOTEBOOK, 15), "zip bomb"),
    "too large": (zips.bomb(NOTEBOOK, 30), "more than 20 MB"),
    "overlapping": (zips.overlapping([NOTEBOOK, "b.ipynb"], b"x" * 99), "zip bomb"),
    "traversal": (zips.zipped({f"../../../{NOTEBOOK}": b"x"}), "out of its archive"),
    "a zip in a zip in a zip": (zips.zipped({"a.zip": zips.zipped({NOTEBOOK: b""})}), "zip in a"),
    "empty": (zips.zipped({}), "empty zip"),
    "no zip": (b"rubbish", "cannot be read as a zip"),
    "a file and a folder": (zips.zipped({"a": b"1", f"a/{NOTEBOOK}": b"2"}), "place of another"),
}


def test_a_zip_that_gives_nothing_costs_only_its_owner_and_reaches_grading(course, good):
    files = {moodle(f"S{n}", n, "hand-in.zip"): zip for n, (zip, _) in enumerate(REFUSED.values())}
    rows = run(course, {**files, moodle("Fine", 999): good})
    assert rows["999"].what == "new"
    for number, (kind, (_, reason)) in enumerate(REFUSED.items()):
        row, taken = rows[str(number)], take(course, str(number))
        assert reason in row.refused, kind
        assert taken.refusal == row.refused and taken.refusal.isprintable(), kind
    assert intake.students(course, LAB) == sorted([*map(str, range(len(REFUSED))), "999"])
    assert {p.name for p in course.root.parent.iterdir()} == {"c", "download.zip"}


def test_a_refused_file_beside_a_good_one_is_a_note(course, good):
    files = {moodle("A", 1): good, moodle("A", 1, "b.zip"): zips.encrypted("b.ipynb", b"x")}
    assert "not taken: b.ipynb in b.zip is encrypted" in run(course, files)["1"].what
    assert take(course, "1").refusal is None
    assert any("b.ipynb in b.zip is encrypted" in note for note in take(course, "1").notes)


def test_of_two_notebooks_the_one_with_the_right_name_counts_and_the_other_is_named(course, good):
    run(course, {moodle("A", 1): good, moodle("A", 1, f"{LAB} (1).ipynb"): b"{}"})
    assert f"not looked at: {LAB} (1).ipynb" in take(course, "1").notes[0]
    rows = run(course, {moodle("B", 2, "a.ipynb"): good, moodle("B", 2, "b.ipynb"): good})
    assert "hand in one" in rows["2"].refused


def test_what_is_put_there_by_hand_is_not_refused_for_what_was_collected(course, good):
    run(course, {moodle("A", 1, "b.zip"): zips.encrypted("b.ipynb", b"x")})
    assert "encrypted" in take(course, "1").refusal
    mini.hand_in(course.root, "1", good)
    assert take(course, "1").refusal is None and take(course, "1").notes == ()


def test_no_student_can_crowd_out_others(course, good, monkeypatch):
    monkeypatch.setattr(attempts, "MAX_FILES", 5)
    monkeypatch.setattr(attempts, "MAX_BYTES", 100_000)
    many = {f"a{n}.txt": b"x" for n in range(20)}
    rows = run(course, {
        **{moodle("A", 1, name): data for name, data in many.items()},
        moodle("A", 1): good,
        moodle("B", 2, "b.zip"): zips.zipped({**many, f"z/{NOTEBOOK}": good}),
        moodle("C", 3, "a.bin"): os.urandom(90_000), moodle("C", 3, "b.bin"): os.urandom(90_000),
        moodle("D", 4): good,
    })  # fmt: skip
    for student in ("1", "2", "4"):
        assert rows[student].refused is None, rows[student].what
    assert "more than 5 files" in rows["1"].what
    assert "together" in rows["3"].refused


def test_reading_for_one_student_ends(course, good, monkeypatch):
    monkeypatch.setattr(attempts, "MAX_READ", 3 * zips.MB)
    packed = zips.deflated(os.urandom(9_000) + b"\0" * zips.MB)
    claims = {"packed": packed, "method": 8, "size": 9_000 + zips.MB, "crc": 0}
    members = [{"name": b"%d.ipynb" % n, **claims} for n in range(50)]
    own = zips.raw([*members, {"name": NOTEBOOK.encode(), "content": good}])
    reads = []
    original = attempts.archives.save
    monkeypatch.setattr(attempts.archives, "save", lambda *a: reads.append(a) or original(*a))
    rows = run(course, {moodle("A", 1, "a.zip"): own, moodle("B", 2, "c.zip"): zips.raw(members)})
    assert rows["1"].refused is None and "51" not in rows["1"].what
    assert "damaged" in rows["2"].refused and "50 files were not taken" in rows["2"].what
    assert len(reads) < 10


def test_a_picture_that_is_refused_is_not_why_there_is_no_notebook(course):
    own = zips.symlink("a.png", "/etc/passwd")
    assert "missing" in run(course, {moodle("A", 1, "a.txt"): b"", moodle("A", 1, "a.PNG"):
                                     b"1" * 21 * zips.MB})["1"].refused  # fmt: skip
    assert run(course, {moodle("B", 2, "b.zip"): own})["2"].refused.startswith("a.png in b.zip is")


UNKIND = ["a\x1b[2J\x07b", "<script>alert(1)</script>", "'; DROP TABLE student; --", "=1+1", "a\nb",
          "\u202egnp", "A" * 300, "' or \" or `", "%s{0}{student}", "[bold]x"]  # fmt: skip


def test_names_do_nothing_to_the_terminal_or_the_disk(course, good, capsys):
    files = {f"{name}_{n}_assignsubmission_file/{name}.ipynb": good
             for n, name in enumerate(UNKIND) if "/" not in name}  # fmt: skip
    path = zips.write(course.root.parent / "d.zip", files)
    roster(course, "student,full_name\nann,Ann Lee\n")
    assert cli.main(["collect", LAB, str(path), "--course", str(course.root)]) == 1
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err and "\x07" not in out and "\u202e" not in out
    assert "[bold]x" in out
    assert str(len(files)) in out.replace("unmatched", "") and "unmatched" in out
    for path in (course.root / "autograde").rglob("*"):
        assert path.name.isprintable() and len(path.name.encode()) < 256


# --- time --------------------------------------------------------------------------------------


def test_late_by_the_trusted_time_and_the_personal_due_date(course, good):
    (course.root / "autograde").mkdir(exist_ok=True)
    (course.root / "autograde" / "duedates.csv").write_text(f"lab,due\n{LAB},2026-05-31T20:00Z\n")
    roster(course, f"student,full_name,due_{LAB}\nann,Ann,\nbob,Bob,2026-06-30T20:00Z\ncy,Cy,\n")
    forged = b"1999-01-01 00:00:00 UTC"
    files = {}
    for number, name in enumerate(("Ann", "Bob", "Cy")):
        files[moodle(name, number)] = good
        files[moodle(name, number, "timestamp.txt")] = forged
    worksheet = (
        "Identifier,Last modified (submission)\n"
        '0,"Monday, 1 June 2026, 12:00 AM"\n1,"Monday, 1 June 2026, 12:00 AM"\n2,-\n'
    )
    rows = run(course, files, **table(course, worksheet))
    assert {label: row.late for label, row in rows.items()} == {
        "ann": "2 h", "bob": "on time", "cy": "?"
    }  # fmt: skip
    assert take(course, "ann").late == timedelta(hours=2)
    assert take(course, "bob").late == take(course, "cy").late == timedelta(0)
    assert take(course, "cy").received is None
    stamps = {n: d for n, d in submitted(course).items() if n.endswith("timestamp.txt")}
    assert stamps == {f"{s}/{LAB}/timestamp.txt": b"2026-05-31 22:00:00.000000 UTC"
                      for s in ("ann", "bob")}  # fmt: skip
    kept = [p.read_bytes() for p in course.collected.rglob("*timestamp.txt")]
    assert kept == [forged] * 3


def test_other_students_and_labs_keep_their_times(course, good):
    (course.root / "autograde" / "state").mkdir(parents=True)
    path = course.root / "autograde" / "state" / "received.csv"
    path.write_text(f"student,lab,received\n1,{LAB},2026-01-01\n9,{LAB},2026-01-02\n"
                    "1,other,2026-01-03\n")  # fmt: skip
    run(course, {moodle("A", 1): good}, **table(course, "lms_id,received\n1,2026-05-01T00:00Z\n"))
    with path.open(newline="") as file:
        rows = {(r["student"], r["lab"]): r["received"] for r in csv.DictReader(file)}
    assert rows == {("1", LAB): "2026-05-01T00:00:00", ("9", LAB): "2026-01-02",
                    ("1", "other"): "2026-01-03"}  # fmt: skip


# --- the exchange ------------------------------------------------------------------------------


@pytest.fixture
def inbound(course, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    folder = tmp_path / "exchange" / "policy_gradients" / "inbound"
    folder.mkdir(parents=True)
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"c.Exchange.root = {str(tmp_path / 'exchange')!r}\n")
        file.write("c.ExchangeCollect.check_owner = False\n")
    return folder


def submit(inbound, student, when: datetime, data: bytes, secret="abc") -> None:
    folder = inbound / f"{student}+{LAB}+{when:%Y-%m-%d %H:%M:%S.%f} UTC+{secret}"
    folder.mkdir()
    (folder / NOTEBOOK).write_bytes(data)
    (folder / "timestamp.txt").write_text("1999-01-01 00:00:00 UTC")


def now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def test_the_exchange_gives_every_attempt_with_its_time(course, base, inbound):
    when = now() - timedelta(minutes=5)
    submit(inbound, "ann", when, version(base, 1))
    submit(inbound, "ann", when + timedelta(minutes=2), version(base, 2))
    submit(inbound, "a+b", when, version(base, 3))
    (inbound / f"x+{LAB}+garbage+y").mkdir()
    (inbound / f"eve+other+{when} UTC+y").mkdir()
    rows = run(course)
    assert rows["ann"].attempts == 2 and rows["ann"].received == when + timedelta(minutes=2)
    assert submitted(course)[f"ann/{LAB}/{NOTEBOOK}"] == version(base, 2)
    assert course.received(LAB)["a+b"] == when and "eve" not in rows
    before = tree(course)
    assert run(course)["ann"].what == "unchanged" and tree(course) == before
    # The same once more, later.
    submit(inbound, "ann", when + timedelta(minutes=4), version(base, 1), "def")
    rows = run(course)
    assert rows["ann"].attempts == 3
    assert submitted(course)[f"ann/{LAB}/{NOTEBOOK}"] == version(base, 1)


def test_a_forged_time_is_not_believed(course, good, inbound):
    (course.root / "autograde").mkdir(exist_ok=True)
    due = now() - timedelta(hours=1)
    (course.root / "autograde" / "duedates.csv").write_text(f"lab,due\n{LAB},{due.isoformat()}\n")
    submit(inbound, "eve", now() - timedelta(days=3), good)
    os.utime(next(inbound.iterdir()), (0, 0))
    rows = run(course)
    assert rows["eve"].late == "1 h" and "time from the file system" in rows["eve"].what
    # Nor is a file that was written anew in an old folder.
    assert take(course, "eve").late > timedelta(minutes=59)


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_in_the_exchange_nothing_but_own_files_is_read(course, good, inbound, base):
    secret = course.root / "secret.ipynb"
    secret.write_bytes(good)
    when = now()
    for student, make in {"sym": os.symlink, "hard": os.link}.items():
        folder = inbound / f"{student}+{LAB}+{when:%Y-%m-%d %H:%M:%S.%f} UTC+x"
        folder.mkdir()
        make(secret, folder / NOTEBOOK)
    (inbound / f"dir+{LAB}+{when:%Y-%m-%d %H:%M:%S.%f} UTC+x").symlink_to(course.root)
    rows = run(course)
    assert "is a link" in rows["sym"].refused and "hard link" in rows["hard"].refused
    assert "link" in rows["dir"].refused
    assert good not in submitted(course).values()


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "getuid"), reason="owners")
def test_a_submission_in_another_accounts_name_waits_for_a_person(course, good, inbound):
    config = course.root / "nbgrader_config.py"
    config.write_text(config.read_text().replace("check_owner = False", "check_owner = True"))
    submit(inbound, "somebody-else", now(), good)
    rows = run(course)
    assert "belongs to" in rows["somebody-else"].problem and submitted(course) == {}
    config.write_text(config.read_text().replace("check_owner = True", "check_owner = False"))
    assert run(course)["somebody-else"].what == "matched now"
    assert submitted(course)[f"somebody-else/{LAB}/{NOTEBOOK}"] == good


def test_no_exchange_is_one_line(course, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    with pytest.raises(CourseError, match=r"c\.Exchange\.root"):
        run(course)
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write("1 / 0\n")
    with pytest.raises(CourseError, match="ZeroDivisionError"):
        run(course)


# --- mistakes and crashes ----------------------------------------------------------------------


def test_mistakes_are_one_line_and_status_2(course, good, capsys, tmp_path):
    here = ["--course", str(course.root)]
    (tmp_path / "no.zip").write_bytes(b"PK\3\4 rubbish")
    (tmp_path / "a.ipynb").write_bytes(good)
    (tmp_path / "empty").mkdir()
    (tmp_path / "r.csv").write_text("name\n")
    course.submitted.mkdir(parents=True)
    for arguments, expected in [
        (["no_lab", "x"], "unknown lab"),
        ([LAB, str(tmp_path / "missing.zip")], "no such file"),
        ([LAB, str(tmp_path / "no.zip")], "cannot be read as a zip"),
        ([LAB, str(tmp_path / "a.ipynb")], "cannot be read as a zip"),
        ([LAB, str(tmp_path / "empty")], "holds no files"),
        ([LAB, str(course.submitted)], "own folder"),
        ([LAB, str(tmp_path), "--exchange"], "only one of"),
        ([LAB, "--remap", "--times", "x"], "go with a PATH"),
        ([LAB, "--remap"], "nothing of"),
        ([LAB, str(tmp_path), "--roster", str(tmp_path / "r.csv")], "the column student"),
        ([LAB, str(tmp_path), "--roster", "nowhere.csv"], "no such file"),
        ([LAB, str(tmp_path), "--times", str(tmp_path / "r.csv")], "column received"),
        ([LAB, str(tmp_path), "--timezone", "Nowhere"], "no such zone"),
        ([LAB, str(tmp_path), "--lms", "blackboard"], "blackboard"),
    ]:
        assert cli.main(["collect", *arguments, *here]) == 2, arguments
        out, err = capsys.readouterr()
        assert expected in err and out == "" and len(err.strip().splitlines()) == 1, (
            arguments,
            err,
        )
    with RunState(course, LAB).locked():
        assert cli.main(["collect", LAB, str(tmp_path), *here]) == 1


def test_the_command_tells_what_happened(course, good, capsys):
    path = zips.write(course.root.parent / "d.zip", {moodle("A", 1): good, moodle("B", 2): b"{"})
    command = ["collect", LAB, str(path), "--course", str(course.root), "--timezone", "UTC"]
    assert cli.main(command) == 0
    out, err = capsys.readouterr()
    assert "2 of 2 files are named" in err
    assert "2 new, 1 refused (0 points" in out and "--times FILE" in out and "due date" in out
    assert cli.main([*command, "--dry-run"]) == 0
    assert "nothing was changed" in capsys.readouterr().out


class Killed(BaseException):
    pass


def test_killed_anywhere_it_is_finished_by_the_next_run(base, good, tmp_path, monkeypatch):
    """Stop before every call that changes the store or submitted/, then run again."""
    files = {moodle("A", 1): good, moodle("B", 2, "b.zip"): zips.encrypted("b.ipynb", b"x"),
             moodle("C", 3): version(base, 3)}  # fmt: skip
    download = zips.write(tmp_path / "d.zip", files)
    times = tmp_path / "t.csv"
    times.write_text("lms_id,received\n1,2026-05-01T00:00Z\n2,2026-05-02T00:00Z\n")

    def fresh(number) -> Course:
        course = Course(tmp_path / str(number))
        shutil.copytree(base, course.root)
        mini.hand_in(course.root, "1", version(base, 7))
        mini.hand_in(course.root, "3", version(base, 8))
        os.utime(course.submission_dir("3", LAB) / NOTEBOOK)
        return course

    def collected(course) -> dict:
        return {
            "submitted": submitted(course),
            "received": course.received(LAB),
            "kept": sorted(p.read_bytes() for p in course.collected.glob(f"{LAB}/[!.]*/*/files/*")),
            "refused": take(course, "2").refusal,
        }

    undisturbed = fresh("whole")
    collecting.collect(undisturbed, LAB, download, times_file=times)
    expected = collected(undisturbed)
    assert len(expected["kept"]) == 4

    calls = [0, -1]

    def counted(original):
        def call(*arguments, **keywords):
            calls[0] += 1
            if calls[0] == calls[1]:
                raise Killed
            return original(*arguments, **keywords)

        return call

    for module, name in [(os, "rename"), (os, "replace"), (os, "fsync"), (shutil, "copytree")]:
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    stop, killed = 0, True
    while killed:
        stop += 1
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", lambda *a, **k: None)  # a killed process cleans nothing
            course = Course(tmp_path / str(stop))
            calls[:] = [0, -1]
            original = course.root
            fresh(stop)
            calls[:] = [0, stop]
            killed = False
            try:
                collecting.collect(course, LAB, download, times_file=times)
            except Killed:
                killed = True
            calls[:] = [0, -1]
        for path in original.rglob("*.json"):
            json.loads(path.read_text())
        collecting.collect(course, LAB, download, times_file=times)
        assert collected(course) == expected, f"stopped before call {stop}"
        shutil.rmtree(original)
    assert stop > 10


def test_four_hundred_students_in_bounded_memory(course, good):
    big = os.urandom(150_000)
    files = {moodle(f"S {n}", n, "x.bin"): big for n in range(400)}
    path = course.root.parent / "d.zip"
    path.write_bytes(zips.zipped({**files, moodle("A", 999): good}, zipfile.ZIP_STORED))
    del files
    tracemalloc.start()
    report = collecting.collect(course, LAB, path, dry_run=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(report.outcomes) == 401 and peak < 30 * zips.MB


def test_a_gradebook_that_cannot_be_written_stops_nothing(course, good, monkeypatch):
    def fails(course, people):
        raise OSError("database is locked")

    monkeypatch.setattr(roster_module, "enter_names", fails)
    roster(course, "student,full_name\nann,A\n")
    path = zips.write(course.root.parent / "d.zip", {moodle("A", 1): good})
    report = collecting.collect(course, LAB, path)
    assert "database is locked" in report.warnings[0] and set(submitted(course))


def test_records_are_of_the_folder_that_is_there(course, good):
    run(course, {moodle("A", 1): good})
    assert placed.read_record(course, LAB, "1").files.keys() == {NOTEBOOK}
    (course.submission_dir("1", LAB) / "more.txt").write_text("")
    assert placed.read_record(course, LAB, "1") is None
    placed.record_path(course, LAB, "1").write_text("[]")
    assert placed.read_record(course, LAB, "1") is None


def test_collected_work_is_graded_by_its_reason_and_time(course, good, capsys, monkeypatch):
    (course.root / "autograde").mkdir(exist_ok=True)
    (course.root / "autograde" / "duedates.csv").write_text(f"lab,due\n{LAB},2026-05-31T20:00Z\n")
    worksheet = "lms_id,received\n1,2026-05-31T21:00Z\n2,2026-05-31T19:00Z\n"
    files = {moodle("A", 1): good, moodle("A", 1, "timestamp.txt"): b"1999-01-01 00:00:00 UTC",
             moodle("B", 2, "b.zip"): zips.encrypted(NOTEBOOK, b"x")}  # fmt: skip
    run(course, files, **table(course, worksheet))
    options = {
        "execute": mini.fake_execute,
        "judge": mini.FakeJudge(),
        "make_executor": mini.Serial,
    }
    rows = {row.student: row for row in grade.grade_class(course, LAB, **options).rows}
    assert rows["1"].score == 5.0 and rows["1"].late_seconds == 3600
    assert rows["2"].status == "refused" and rows["2"].score == 0 and rows["2"].late_seconds == 0
    assert "is encrypted: hand it in without a password" in rows["2"].reason
    assert "is encrypted" in course.feedback_path("2", LAB).read_text()
    again = grade.grade_class(course, LAB, **options)
    assert all(row.unchanged for row in again.rows)
    # An extension granted afterwards counts at the next run.
    roster(course, f"student,lms_id_{LAB},due_{LAB}\n1,1,2026-07-01T00:00\n2,2,\n")
    rows = {row.student: row for row in grade.grade_class(course, LAB, **options).rows}
    assert rows["1"].late_seconds == 0 and rows["2"].unchanged
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    with Gradebook(course.db_url, "policy_gradients") as gradebook:
        submission = gradebook.find_submission(LAB, "1")
        assert submission.timestamp == datetime(2026, 5, 31, 21)
        assert submission.total_seconds_late == 0
    # The formgrader does not think that it has to be graded again.
    config = course.nbgrader_config()
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    assert api.get_autograded_students(LAB) == {"1", "2"}
