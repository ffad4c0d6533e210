"""What Moodle and Canvas call files, alone and as plugins of nbgrader's own zip_collect."""

from __future__ import annotations

import json
import logging
import shutil

import mini
import pytest
import zips
from nbgrader.apps import ZipCollectApp

from autograde import lms
from autograde.course import Course

MOODLE = {
    "Ann Lee_101_assignsubmission_file/lab.ipynb": ("101", "Ann Lee", "lab.ipynb"),
    "Ann Lee_101_assignsubmission_file_/lab.ipynb": ("101", "Ann Lee", "lab.ipynb"),
    "Ann Lee_101_assignsubmission_file_lab.ipynb": ("101", "Ann Lee", "lab.ipynb"),
    "Ann Lee_101_assignsubmission_file_a_b.ipynb": ("101", "Ann Lee", "a_b.ipynb"),
    "Ann Lee_101_assignsubmission_file/deep/x.py": ("101", "Ann Lee", "deep/x.py"),
    "download/Ann Lee_101_assignsubmission_file/x": ("101", "Ann Lee", "x"),
    "Participant_7_assignsubmission_file_/x": ("7", "Participant", "x"),
    "Ann_1_assignsubmission_onlinetext_/onlinetext.html": ("1", "Ann", "onlinetext.html"),
    "李 小龙_1_assignsubmission_file_/x": ("1", "李 小龙", "x"),
    "_1_assignsubmission_file_/x": ("1", "", "x"),
    # What lies further in has been named by a student.
    "Ann_1_assignsubmission_file_/Bob_2_assignsubmission_file_/x": (
        "1", "Ann", "Bob_2_assignsubmission_file_/x",
    ),
    "Ann_1_assignsubmission_file_Bob_2_assignsubmission_file_x": (
        "1", "Ann", "Bob_2_assignsubmission_file_x",
    ),
    "Default group_assignsubmission_file/x": None,
    "Ann_١_assignsubmission_file_/x": None,
    "Ann Lee/lab.ipynb": None,
    "Ann_1_assignsubmission_file_": None,
}  # fmt: skip

CANVAS = {
    "leeann_12_345_lab.ipynb": ("12", "leeann", "lab.ipynb", False, 345),
    "leeann_LATE_12_345_lab-1.ipynb": ("12", "leeann", "lab-1.ipynb", True, 345),
    "de_la_cruz_12_345_my lab.ipynb": ("12", "de_la_cruz", "my lab.ipynb", False, 345),
    "müllerzoë_12_345_lab.ipynb": ("12", "müllerzoë", "lab.ipynb", False, 345),
    "anon_a1B2c_345_lab.ipynb": ("anon_a1B2c", "", "lab.ipynb", False, 345),
    "LATE_anon_a1B2c_345_lab.ipynb": ("anon_a1B2c", "", "lab.ipynb", True, 345),
    "leeann_12_text.html": ("12", "leeann", "text.html", False, 0),
    "leeann_12_345_x_LATE_6_7_lab.ipynb": ("12", "leeann", "x_LATE_6_7_lab.ipynb", False, 345),
    "leeann_12_345_hand-in.zip/victim_1_2_lab.ipynb": (
        "12", "leeann", "hand-in.zip/victim_1_2_lab.ipynb", False, 345,
    ),
    "my_lab_05_06/lab.ipynb": None,
    "lab.ipynb": None,
    "leeann_12_lab.ipynb": None,
}  # fmt: skip


@pytest.mark.parametrize("path", MOODLE)
def test_moodles_names(path):
    named = lms.MoodleCollector().parse(path.split("/"))
    found = named and (named.who.id, named.who.name, "/".join(named.file))
    assert found == MOODLE[path]


@pytest.mark.parametrize("path", CANVAS)
def test_canvas_names(path):
    named = lms.CanvasCollector().parse(path.split("/"))
    found = named and (named.who.id, named.who.name, "/".join(named.file), named.late, named.order)
    assert found == CANVAS[path]


def test_a_canvas_name_that_can_be_read_in_two_ways_says_so():
    """A student named `x_555` is user 777; the file looks like one of user 555."""
    parse = lms.CanvasCollector().parse
    assert parse(["x_555_777_888_lab.ipynb"]).who.other_id == "777"
    assert parse(["anon_abcde_555_777_lab.ipynb"]).who.other_id == "555"
    assert parse(["x_555_LATE_777_888_lab.ipynb"]).who.id == "777"
    assert parse(["leeann_12_345_lab.ipynb"]).who.other_id == ""


@pytest.mark.parametrize("name, plain", [
    ("lab.ipynb", "lab.ipynb"), ("lab (1).ipynb", "lab.ipynb"), ("lab-2.ipynb", "lab.ipynb"),
    ("LAB(3).IPYNB", "lab.ipynb"), ("lab-1 (2).ipynb", "lab.ipynb"),
    ("lab-final.ipynb", "lab-final.ipynb"), ("lab2.ipynb", "lab2.ipynb"), ("lab.py", "lab.py"),
])  # fmt: skip
def test_counts_of_browsers_and_canvas_are_no_part_of_a_name(name, plain):
    assert lms.canonical(name, "lab") == plain


def test_the_lms_is_found_out_and_the_reason_said():
    def detect(*paths):
        return lms.detect([path.split("/") for path in paths])

    kind, why = detect(*[f"A_{n}_assignsubmission_file_/lab.ipynb" for n in range(9)], "README")
    assert kind == "moodle" and "9 of 10 files" in why
    assert detect("leeann_12_345_lab.ipynb", "odowbob_LATE_13_346_lab.ipynb")[0] == "canvas"
    assert detect("ann/lab.ipynb", "bob/lab.ipynb")[0] == "folder"
    assert detect("ann/my_lab_05_06_x.ipynb", "bob/my_lab_05_07_x.ipynb")[0] == "folder"
    kind, why = detect("A_1_assignsubmission_file_/x", "ann/x", "bob/x")
    assert kind == "folder" and "--lms" in why


# --- nbgrader's own command ---------------------------------------------------------------------


def zip_collect(*arguments) -> int:
    ZipCollectApp.clear_instance()
    app = ZipCollectApp.instance()
    app.log.setLevel(logging.CRITICAL)
    try:
        app.initialize([mini.LAB, *arguments])
        app.start()
    except SystemExit as error:
        return error.code or 0
    finally:
        app.deinit_logging()
        ZipCollectApp.clear_instance()
    return 0


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return mini.make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def folder(base, tmp_path, monkeypatch):
    course = tmp_path / "c"
    shutil.copytree(base, course)
    monkeypatch.chdir(course)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    (course / "downloaded" / mini.LAB / "archive").mkdir(parents=True)
    return course


def test_stock_zip_collect_takes_moodles_zip_through_the_plugins(folder):
    good = json.dumps(mini.solved(folder)).encode()
    files = {
        "Ann Lee_101_assignsubmission_file_/mini_lab.ipynb": good,
        "Ann Lee_101_assignsubmission_file_/agent.safetensors": b"numbers",
        "Bob_102_assignsubmission_file_/own.zip": zips.zipped({"mini_lab.ipynb": good}),
        "Cy_103_assignsubmission_file_/../../../../mini_lab.ipynb": good,
        "Di_104_assignsubmission_file_/mini_lab (1).ipynb": good,
        "Eve_105_assignsubmission_file_/e.zip": zips.symlink("mini_lab.ipynb", "/etc/passwd"),
        "Fay_106_assignsubmission_file_/f.zip": zips.zipped(
            {"Ann Lee_101_assignsubmission_file_/other.ipynb": b"forged"}
        ),
        "readme.ipynb": b"nobody's",
    }
    zips.write(folder / "downloaded" / mini.LAB / "archive" / "course-1.zip", files)
    (folder / "autograde").mkdir(exist_ok=True)
    (folder / "autograde" / "roster.csv").write_text(
        "student,full_name\nann,Ann Lee\nbob,Bob\ndi,Di\neve,Eve\nfay,Fay\ncy,Cy\n"
    )
    before = {path for path in folder.parent.rglob("*") if path.name == "mini_lab.ipynb"}
    assert zip_collect("--collector=autograde.lms.MoodleCollector") == 0
    submitted = Course(folder).submitted
    found = {str(p.relative_to(submitted)) for p in submitted.rglob("*") if p.is_file()}
    assert found == {"ann/mini_lab/mini_lab.ipynb", "ann/mini_lab/agent.safetensors",
                     "bob/mini_lab/mini_lab.ipynb", "di/mini_lab/mini_lab.ipynb",
                     "fay/mini_lab/other.ipynb"}  # fmt: skip
    new = {path for path in folder.parent.rglob("*") if path.name == "mini_lab.ipynb"} - before
    assert all(folder / "downloaded" in p.parents or submitted in p.parents for p in new)
    assert not any(path.is_symlink() for path in folder.rglob("*"))


def test_stock_zip_collect_takes_canvas_files(folder):
    good = json.dumps(mini.solved(folder)).encode()
    archive = folder / "downloaded" / mini.LAB / "archive"
    zips.write(
        archive / "submissions.zip",
        {
            "leeann_12_345_mini_lab-1.ipynb": good,
            "odowbob_LATE_13_346_mini_lab.ipynb": good,
            "eve_12_777_888_mini_lab.ipynb": good,
            "cy_14_347_mine.zip": zips.zipped({"leeann_12_9_mini_lab.ipynb": b"forged"}),
            "bad_15_348_mini_lab.ipynb": good,
        },
    )
    (archive / "di_16_349_mini_lab.ipynb").write_bytes(good)
    assert zip_collect("--collector=autograde.lms.CanvasCollector") == 0
    submitted = Course(folder).submitted
    found = {str(p.relative_to(submitted)): p for p in submitted.rglob("*") if p.is_file()}
    assert {name for name, path in found.items() if path.read_bytes() == good} == {
        f"{n}/mini_lab/mini_lab.ipynb" for n in (12, 13, 15, 16)
    }
    assert set(found) - {f"{n}/mini_lab/mini_lab.ipynb" for n in (12, 13, 15, 16)} == {
        "14/mini_lab/leeann_12_9_mini_lab.ipynb"
    }


def test_the_extractor_refuses_bombs_and_goes_no_deeper_than_a_zip_in_a_zip(folder, tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    deep = zips.zipped({"inner.zip": zips.zipped({"x.ipynb": b"1"}), "y.ipynb": b"2"})
    zips.write(source / "a.zip", {"s/b.zip": deep, "bomb.ipynb": b"\0" * 15 * zips.MB, "ok": b"3"})
    (source / "broken.zip").write_bytes(b"PK\3\4")
    extractor = lms.SafeExtractor()
    extractor.log = logging.Logger("test")
    records: list = []
    extractor.log.addHandler(handler := logging.Handler())
    handler.emit = records.append
    extractor.extract(str(source), str(target))
    found = {str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()}
    assert found == {"a/s/b.zip/y.ipynb", "a/ok"}
    said = " ".join(record.getMessage() for record in records)
    assert "zip bomb" in said and "zip in a zip" in said and "broken.zip cannot be read" in said
