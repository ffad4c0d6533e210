"""What the course's widgets share: their scripts and their style sheet."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"
STYLE = STATIC / "course.css"


def script(name: str) -> str:
    """The JavaScript module of a widget: the shared drawing functions, then its own file."""
    files = (STATIC / "draw.js", STATIC / f"{name}.js")
    return "\n".join(file.read_text(encoding="utf-8") for file in files)
