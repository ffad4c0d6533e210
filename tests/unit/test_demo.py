"""The made-up class: 24 students, the same files every time, everything that can go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograde import demo, intake, pipeline
from autograde.course import Course
from autograde.errors import CourseError

ROOT = Path(__file__).resolve().parents[2]


def test_the_class_is_the_same_each_time_and_of_every_kind(tmp_path):
    trees = []
    for name in ("a", "b"):
        course = demo.make_class(Course(ROOT), tmp_path / name)
        files = sorted(path for path in course.root.rglob("*") if path.is_file())
        trees.append({path.relative_to(course.root): path.read_bytes() for path in files})
    assert trees[0] == trees[1]
    students = intake.students(course, demo.LAB)
    assert students == sorted(demo.ROSTER) and len(students) == 24
    lab = pipeline.load_lab(course, demo.LAB)
    taken = [intake.take_in(course, s, demo.LAB, lab.skeleton) for s in students]
    assert [s.student for s in taken if s.refusal] == ["haddad", "kim", "quinn"]
    assert [s.student for s in taken if s.late] == ["moreau"]
    assert [s.student for s in taken if s.notes] == ["silva"]


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(CourseError, match="not empty"):
        demo.make_class(Course(ROOT), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
