"""nbgrader's exporter classes for this course: reading submissions safely, writing safe HTML."""

from __future__ import annotations

import html
import os
import re
import time
from pathlib import Path

import nbformat
from jinja2 import BytecodeCache, FileSystemLoader, PrefixLoader
from nbconvert.exporters import HTMLExporter, NotebookExporter, TemplateExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from traitlets import Bool, default

from autograde.course import TEMPLATES, Course, nbgrader_templates
from autograde.graft import graft
from autograde.intake import Submission, take_in
from autograde.pipeline import Lab, load_lab

# Where the notebook that nbgrader keeps says what intake and graft found.
REMARKS = "submission"
# Of a feedback page's colors: characters of a cell, and seconds for the page.
MAX_COLORED, MAX_SECONDS = 20_000, 3.0
FONT = re.compile(r"@font-face\s*\{[^}]*\}")


class SubmissionExporter(NotebookExporter):
    """Reads what a student handed in by intake and graft; reads nbgrader's own files as usual.

    nbgrader's Autograde opens a notebook twice with one exporter: the submission, then its own
    sanitized copy. Only the first goes through intake. A submission that cannot be read becomes
    the bare released notebook with the reason in its metadata, so that it is graded 0 and the
    ones after it are graded at all.
    """

    def from_filename(self, filename, resources=None, **kwargs):
        coursedir = self.parent.coursedir
        student = resources["nbgrader"]["student"]
        lab_name = resources["nbgrader"]["assignment"]
        folder = coursedir.format_path(coursedir.submitted_directory, student, lab_name)
        if os.path.dirname(filename) != folder:
            return super().from_filename(filename, resources=resources, **kwargs)
        course = Course(Path(coursedir.root), coursedir.db_url)
        notebook = self.grafted(course, load_lab(course, lab_name), student)
        resources["metadata"] = {"name": lab_name, "path": folder}
        return self.from_notebook_node(nbformat.from_dict(notebook), resources, **kwargs)

    def grafted(self, course: Course, lab: Lab, student: str) -> dict:
        """The student's work in the released notebook."""
        return grafted_notebook(lab, take_in(course, student, lab.name, lab.skeleton))


def grafted_notebook(lab: Lab, submission: Submission) -> dict:
    """The released notebook with a submission's work, and what was found in its metadata."""
    notebook, notes = graft(lab.skeleton, submission.cells)
    notebook["metadata"][REMARKS] = {
        "refusal": submission.refusal,
        "notes": [*submission.notes, *notes],
    }
    return notebook


def name_the_notebook(assignment: str, student: str, notebooks: list[str]) -> None:
    """nbgrader's hook before a submission: look for the lab's notebook, whatever lies there.

    nbgrader would pass over a notebook of another name as unknown and leave its author without a
    mark; our exporter decides what becomes of it. Changes the list in place.
    """
    if notebooks:
        folder = os.path.dirname(notebooks[0])
        notebooks[:] = [os.path.join(folder, os.path.basename(folder) + ".ipynb")]


class _Compiled(BytecodeCache):
    """The templates of this process's pages, compiled once: every page has its own exporter."""

    def __init__(self):
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket):
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket):
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = _Compiled()
# An image that has no text for those who cannot see it.
IMAGE = re.compile(r"<img (?![^>]*\balt=)")


class FeedbackExporter(HTMLExporter):
    """nbgrader's feedback page without any script or markup of the student's own."""

    sanitize_html = Bool(True, help="Sanitize the HTML in Markdown and outputs.").tag(config=True)

    @default("extra_loaders")
    def _nbgraders_own_templates(self):
        # By a name of their own: our template derives from the one that it takes the place of.
        folder = FileSystemLoader(str(nbgrader_templates()))
        return [PrefixLoader({"nbgrader": folder})]

    def _init_resources(self, resources):
        resources = super()._init_resources(resources)
        style = TEMPLATES / "course_feedback" / "style.css"
        resources["course_style"] = style.read_text(encoding="utf-8")
        include = resources["include_css"]
        # The icons of nbgrader's Bootstrap would be asked for in files beside the page.
        resources["include_css"] = lambda name: FONT.sub("", include(name))
        return resources

    def _create_environment(self):
        environment = super()._create_environment()
        environment.bytecode_cache = COMPILED
        return environment

    def from_notebook_node(self, nb, resources=None, **kwargs):
        """As HTMLExporter's, which then parses the whole page again: half of a page's time.

        It does so to give images a text in their place; the rest is for JupyterLab's template.
        """
        resources = self._init_resources(resources)
        widgets = WidgetsDataTypeFilter(
            notebook_metadata=self._nb_metadata, parent=self, resources=resources
        )
        self.register_filter("highlight_code", bounded_highlighter(self))
        self.register_filter("filter_data_type", widgets)
        page, resources = TemplateExporter.from_notebook_node(self, nb, resources, **kwargs)
        return IMAGE.sub('<img alt="a picture that the cell has drawn" ', page), resources


def bounded_highlighter(parent):
    """A filter for one notebook's code: in color as long as that takes no time, then plain.

    Python's lexer, not that of IPython's magics, which takes minutes for a cell of asterisks.
    """
    color = Highlight2HTML(pygments_lexer="python3", parent=parent)
    spent = 0.0

    def highlight(source, language=None, metadata=None):
        nonlocal spent
        if len(source) > MAX_COLORED or spent > MAX_SECONDS:
            return f'<div class="highlight"><pre>{html.escape(source)}</pre></div>\n'
        started = time.process_time()
        try:
            return color(source, language="python3", metadata=metadata)
        finally:
            spent += time.process_time() - started

    return highlight
