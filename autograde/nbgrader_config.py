"""nbgrader's configuration for this course; the root's nbgrader_config.py loads it."""

import os
from pathlib import Path

from autograde.course import Course, configure

# COURSE_DB, a SQLAlchemy URL, names another gradebook than autograde/gradebook.db.
_root = Path(__file__).resolve().parents[1]
configure(c, Course(_root, os.environ.get("COURSE_DB") or None))  # noqa: F821
