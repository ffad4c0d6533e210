"""Pages for the instructor's browser: one frame for all, no script, every value escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autograde.course import TEMPLATES


def render(template: str, values: Mapping[str, Any], filters: Mapping[str, Callable]) -> str:
    """A page as HTML text.

    template: name of a file in autograde/templates that extends page.html there. A value reaches
    the page escaped unless it is markupsafe.Markup; one that is missing raises UndefinedError.
    """
    import jinja2

    environment = jinja2.Environment(
        # Not importlib.resources: in a course's folder `autograde` is also the class's data there.
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= filters
    return environment.get_template(template).render(values)
