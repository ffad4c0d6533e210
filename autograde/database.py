"""Another gradebook than the SQLite file: can it be reached, and how to name it without a password.

nbgrader's gradebook works on whatever SQLAlchemy does; tested are SQLite and PostgreSQL. What can
be wrong with the address or the server is said in one line before anything is graded.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from autograde.errors import CourseError

CONNECT_S = 10


def without_password(url: str) -> str:
    """A database's URL as it may be shown and stored."""
    return re.sub(r"^([\w+]+://[^:/@]*):.*@", r"\1@", url)


def check(url: str) -> None:
    """CourseError, one line without the password, if this gradebook cannot be used.

    Connects to a server; of a file only asks for its folder (SQLite would make it).
    """
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
    from sqlalchemy.pool import NullPool

    shown = without_password(url)
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        # Not what stands there: it may be a password.
        raise CourseError(
            "the gradebook's address is not a SQLAlchemy URL; write it like "
            "postgresql+psycopg://USER@HOST/DATABASE"
        ) from None
    if "@" in (parsed.host or ""):
        raise CourseError("in the gradebook's address, write an @ in a password as %40")
    if backend == "sqlite":
        folder = Path(parsed.database or "x").expanduser().parent
        if parsed.database and not os.path.isdir(folder):
            raise CourseError(f"the gradebook {shown} cannot be: there is no folder {folder}")
        return
    try:
        options = {"connect_timeout": CONNECT_S} if backend == "postgresql" else {}
        engine = create_engine(parsed, poolclass=NullPool, connect_args=options)
        engine.connect().close()
    except NoSuchModuleError:
        raise CourseError(
            f"the gradebook {shown}: SQLAlchemy knows no {parsed.drivername!r}; "
            "PostgreSQL is postgresql+psycopg"
        ) from None
    except ImportError as error:
        raise CourseError(
            f"the gradebook {shown} needs a driver that is not installed ({error}); "
            "for postgresql+psycopg: pip install '.[postgres]'"
        ) from None
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error)
        if parsed.password:
            said = said.replace(str(parsed.password), "***")
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        raise CourseError(f"the gradebook {shown} does not answer: {lines[0][:300]}", 1) from None
