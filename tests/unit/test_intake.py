"""Intake: everything that can lie in a submission's folder ends in cells or in one line."""

from __future__ import annotations

import json
import os

import mini
import pytest

from autograde import intake, pipeline
from autograde.course import Course


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return mini.make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def course(base, tmp_path):
    mini.shutil.copytree(base, tmp_path / "c")
    return Course(tmp_path / "c")


def take(course, student="ann"):
    lab = pipeline.load_lab(course, mini.LAB)
    result = intake.take_in(course, student, mini.LAB, lab.skeleton)
    assert (result.cells is None) != (result.refusal is None)
    for text in (result.refusal, *result.notes):
        assert text is None or (text.isprintable() and len(text) < 400)
    return result


def test_a_good_submission_is_taken(course):
    mini.hand_in(course.root, "ann", mini.solved(course.root))
    result = take(course)
    assert {c.grade_id: c.source for c in result.cells}["square"] == mini.GOOD["square"]
    assert result.notes == ()


NOTEBOOK = b'{"cells": [{"cell_type": "code", "metadata": {}, "source": "x"}]}'
BAD_BYTES = {
    "empty": (b"", "empty"),
    "white": (b" \n\n", "empty"),
    "cut off": (b'{"cells": [{"cell_type": "co', "breaks off"),
    "cut off later": (b'{"cells": [', "breaks off"),
    "no JSON": (b'{"cells": [} ]}', "not valid JSON"),
    "zip": (b"PK\x03\x04rubbish\xff", "zip archive"),
    "gzip": (b"\x1f\x8brubbish\xff", "compressed"),
    "html": (b"<!DOCTYPE html><html></html>", "web page"),
    "pdf": (b"%PDF-1.7", "PDF"),
    "binary": (b"\x80\x81\x82", "not a text file"),
    "merge conflict": (b'{"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> b\n]}', "conflicts"),
    "a list": (b"[1, 2]", "no notebook"),
    "a number": (b"7", "no notebook"),
    "no cells": (b'{"metadata": {}, "nbformat": 4}', "no cells"),
    "cells are text": (b'{"cells": "all"}', "no cells"),
    "cells of nothing": (b'{"cells": [1, null, "x", {"cell_type": 3}]}', "no readable cells"),
    "version 3": (b'{"worksheets": [{"cells": []}], "nbformat": 3}', "2014"),
    "deep": (b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "huge number": (b'{"cells": ' + b"9" * 10_000 + b"}", "no notebook"),
    "too many cells": (b'{"cells": [' + b"0," * 6000 + b"0]}", "6001 cells"),
    "foreign": (NOTEBOOK, "not the notebook of mini_lab"),
}


@pytest.mark.parametrize("name", BAD_BYTES)
def test_unreadable_files_get_a_reason(course, name):
    data, expected = BAD_BYTES[name]
    mini.hand_in(course.root, "ann", data)
    assert expected in take(course).refusal


def test_too_large_a_file_is_not_read(course, monkeypatch):
    monkeypatch.setattr(intake, "MAX_FILE_BYTES", 1000)
    mini.hand_in(course.root, "ann", mini.solved(course.root))
    assert "clear its outputs" in take(course).refusal


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_links_pipes_and_folders_are_refused(course):
    path = mini.hand_in(course.root, "ann", b"")
    secret = course.root / "secret.ipynb"
    secret.write_text(json.dumps(mini.solved(course.root)))
    path.unlink()
    path.symlink_to(secret)
    assert "link" in take(course).refusal
    path.unlink()
    os.mkfifo(path)
    assert "not a regular file" in take(course).refusal
    path.unlink()
    path.mkdir()
    assert "folder" in take(course).refusal
    path.rmdir()
    os.link(secret, path)  # a hard link is a regular file like any other
    assert take(course).refusal is None
    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(course.root / "notebooks" / mini.LAB)
    assert "link" in take(course).refusal


def test_a_renamed_notebook_counts_with_a_note(course):
    mini.hand_in(course.root, "ann", mini.solved(course.root), name="mini_lab (1).ipynb")
    result = take(course)
    assert "mini_lab (1).ipynb" in result.notes[0]
    assert result.refusal is None


def test_a_notebook_in_a_subfolder_counts_with_a_note(course):
    mini.hand_in(course.root, "ann", mini.solved(course.root), name="mini_lab/mini_lab.ipynb")
    mini.hand_in(course.root, "ann", b"{}", name=".ipynb_checkpoints/mini_lab.ipynb")
    assert take(course).refusal is None


def test_which_of_two_renamed_notebooks_is_not_guessed(course):
    for name in ("one.ipynb", "two.ipynb"):
        mini.hand_in(course.root, "ann", mini.solved(course.root), name=name)
    assert "one.ipynb, two.ipynb" in take(course).refusal


def test_a_missing_notebook_says_what_was_found(course):
    mini.hand_in(course.root, "ann", b"text", name="mini_lab.py")
    assert "mini_lab.ipynb is missing; found mini_lab.py" in take(course).refusal
    (course.submission_dir("ann", mini.LAB) / "mini_lab.py").unlink()
    assert "the folder is empty" in take(course).refusal


def test_a_hostile_file_name_cannot_break_the_line(course):
    mini.hand_in(course.root, "ann", b"x", name="a\x1b[2J\nb" + "c" * 200 + ".txt")
    assert "\x1b" not in take(course).refusal


def test_a_wrong_lab_folder_is_listed_not_lost(course):
    mini.hand_in(course.root, "ann", mini.solved(course.root), lab="mini-lab")
    mini.hand_in(course.root, "bob", mini.solved(course.root))
    (course.submitted / "carl").mkdir()
    assert intake.students(course, mini.LAB) == ["ann", "bob"]
    assert "no folder mini_lab; found mini-lab" in take(course).refusal


def test_another_labs_notebook_is_named(course):
    other = mini.solved(course.root)
    for cell in other["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["grade_id"] += "_b"
    path = course.release_path("lab_b")
    path.parent.mkdir()
    path.write_text(json.dumps(other))
    (course.solutions / "lab_b.py").write_text("")
    mini.hand_in(course.root, "ann", other)
    assert take(course).refusal == "mini_lab.ipynb is the notebook of lab_b: " + (
        "hand in the one of mini_lab"
    )


def test_metadata_lost_on_the_way_is_no_reason_to_refuse(course):
    notebook = mini.solved(course.root)
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    mini.hand_in(course.root, "ann", notebook)
    assert take(course).refusal is None
    for cell in notebook["cells"]:
        del cell["id"]
    mini.hand_in(course.root, "ann", notebook)
    assert take(course).refusal is None


@pytest.mark.parametrize("minor", [0, 2, 4, 5, 9])
def test_any_minor_version_is_read(course, minor):
    notebook = mini.solved(course.root)
    notebook["nbformat_minor"] = minor
    if minor < 5:
        for cell in notebook["cells"]:
            del cell["id"]
    mini.hand_in(course.root, "ann", notebook)
    assert take(course).refusal is None


def test_odd_encodings_and_odd_cells_are_read(course):
    notebook = mini.solved(course.root)
    notebook["cells"].append({"cell_type": "code", "source": "a = '\ud800'", "metadata": 3})
    notebook["cells"].append({"cell_type": "code", "source": ["b\r\n", 7, "c"]})
    notebook["cells"].append({"cell_type": "code", "metadata": {"nbgrader": {"grade_id": [1]}}})
    for encoding in ("utf-8-sig", "utf-16"):
        mini.hand_in(course.root, "ann", json.dumps(notebook).encode(encoding))
        cells = take(course).cells
        assert cells[-3].source == "a = '?'" and cells[-2].source == "b\nc"


def test_lateness_comes_from_the_instructors_side_only(course):
    mini.hand_in(course.root, "ann", mini.solved(course.root))
    mini.hand_in(course.root, "ann", b"1999-01-01 00:00:00 UTC", name="timestamp.txt")
    (course.root / "autograde" / "duedates.csv").write_text("lab,due\nmini_lab,2026-05-31 20:00\n")
    assert take(course).received is None
    course.state.mkdir()
    (course.state / "received.csv").write_text(
        "student,lab,received\nann,mini_lab,2026-05-31T23:30:00+02:00\n"
    )
    assert take(course).late.total_seconds() == 90 * 60
