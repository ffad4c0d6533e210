"""nbgrader preprocessors: isolated execution and judging, trusted times, safe feedback."""

from __future__ import annotations

import functools
import hashlib
import html
import json
import re
import secrets
import time
from pathlib import Path

import bleach
import nbformat
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor, SaveAutoGrades
from traitlets import Bool, Dict, Unicode

from autograde import formulas, handback, intake, pipeline, runstate
from autograde.build import write_atomically
from autograde.course import COURSE_ID, Course
from autograde.exporter import REMARKS


class IsolatedExecute(NbGraderPreprocessor):
    """In the place of nbgrader's Execute: runs the notebook behind the wall and judges its tests.

    Under our `grade` command the verdicts are there already (the converter's `graded`); under
    plain `nbgrader autograde` and the formgrader they are made here. On purpose no subclass of
    Execute: `--no-execute` would otherwise leave test cells without output, which nbgrader
    counts as full marks.
    """

    sandbox = Unicode(
        "auto", help="auto, bwrap, unshare, or none (no isolation: only for trusted notebooks)."
    ).tag(config=True)
    limits = Dict(help="Limits that differ from autograde.pipeline.LIMITS.").tag(config=True)

    def preprocess(self, nb, resources):
        converter = self.parent.parent
        remarks = nb.metadata.get(REMARKS, {})
        graded = getattr(converter, "graded", None)
        if graded is None:
            course = Course(Path(converter.coursedir.root), converter.coursedir.db_url)
            lab = pipeline.load_lab(course, resources["nbgrader"]["assignment"])
            cells, results = self._grade(
                course, lab, nb, remarks.get("refusal"), resources["nbgrader"]["student"]
            )
        else:
            cells, results = graded.cells, graded.results
        notes = list(remarks.get("notes", []))
        if remarks.get("refusal"):
            notes.insert(0, f"Not graded: {remarks['refusal']}")
        plain = _plain(nb)
        pipeline.place_outputs(plain, cells, results, notes)
        return nbformat.from_dict(plain), resources

    def _grade(self, course, lab, nb, refusal, student):
        if refusal:
            return {}, pipeline.refused_results(lab, refusal)
        judge = pipeline.default_judge()
        pipeline.check_judge(lab, judge)
        seed = runstate.RunState(course, lab.name).start()
        requests = pipeline.make_requests(lab, seed, judge)
        job = pipeline.make_job(
            lab,
            _plain(nb),
            requests,
            files=intake.take_in_files(course, student, lab.name, lab.skeleton),
            limits=dict(self.limits),
            sandbox=self.sandbox,
        )
        result = pipeline.run_job(pipeline.default_execute(), job)
        return result["cells"], pipeline.judge_result(lab, result, seed, judge)


class RecordReceived(NbGraderPreprocessor):
    """Puts the time the instructor's side received a submission into the gradebook.

    And what the student's own due date adds to the lab's, as an extension. nbgrader has just taken
    the time from timestamp.txt in the submission, which its author can set. Unknown stays unknown:
    no time, not late.
    """

    def preprocess(self, nb, resources):
        info = resources["nbgrader"]
        coursedir = self.parent.parent.coursedir
        course = Course(Path(coursedir.root), coursedir.db_url)
        received = course.received(info["assignment"]).get(info["student"])
        with Gradebook(info["db_url"], COURSE_ID) as gradebook:
            submission = gradebook.find_submission(info["assignment"], info["student"])
            submission.timestamp = received
            due = course.due(info["assignment"])
            own = course.due(info["assignment"], info["student"])
            if due is not None and own != due:  # else one granted in nbgrader stays
                submission.extension = own - due
            gradebook.db.commit()
        return nb, resources


class SaveGrades(SaveAutoGrades):
    """nbgrader's SaveAutoGrades, which asks a person to look again only if something has changed.

    nbgrader keeps a manual mark when a submission is graded again, but marks it as open: after
    one more run over a class of 300 somebody would face 300 answers marked long ago. Here it stays
    done as long as what it was given for is the same: a free answer's own text, and for a test
    whose points a person has changed, all the code and the points of the test itself. What was
    graded is remembered in autograde/state/LAB/answers/STUDENT.json (digests only).
    """

    def preprocess(self, nb, resources):
        info = resources["nbgrader"]
        coursedir = self.parent.parent.coursedir
        folder = Course(Path(coursedir.root)).state / info["assignment"] / "answers"
        path = folder / f"{info['student']}.json"
        try:
            self._before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._before = {}
        graded = getattr(self.parent.parent, "graded", None)
        self._settled = None if graded is None else graded.settled
        self._digests = {}
        code = [cell.source for cell in nb.cells if cell.cell_type == "code"]
        self._code = _digest(code)
        nb, resources = super().preprocess(nb, resources)
        write_atomically(path, json.dumps(self._digests).encode())
        return nb, resources

    def _add_score(self, cell, resources):
        name = cell.metadata["nbgrader"]["grade_id"]
        self._digests[name] = digest = (
            _digest(cell.source) if utils.is_solution(cell) else self._code
        )
        grade = self.gradebook.find_grade(
            name, self.notebook_id, self.assignment_id, self.student_id
        )
        settled = self._settled
        if settled is None:
            settled = {} if grade.needs_manual_grade else {name: grade.auto_score}
        grade.auto_score, _ = utils.determine_grade(cell, self.log)
        if grade.manual_score is None:
            grade.needs_manual_grade = grade.auto_score is None
        else:
            same = name in settled and digest == self._before.get(name)
            if not utils.is_solution(cell):
                same = same and settled[name] == grade.auto_score
            grade.needs_manual_grade = not same
        # In one commit: a run that is killed leaves either what was or what is.
        self.gradebook.db.commit()


def _digest(value) -> str:
    return hashlib.sha256(json.dumps(value).encode("utf-8", "replace")).hexdigest()


class StripHiddenTests(NbGraderPreprocessor):
    """Takes the hidden tests, and the bare score, out of test cells before feedback is rendered."""

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "code" and utils.is_grade(cell) and not utils.is_solution(cell):
            cell.source = pipeline.visible_part(cell.source)
            cell.outputs = [o for o in cell.outputs if o.output_type != "execute_result"]
        return cell, resources


class ForTheExchange(NbGraderPreprocessor):
    """Puts beside a feedback page what nbgrader's release_feedback wants to find there."""

    def preprocess(self, nb, resources):
        info, coursedir = resources["nbgrader"], self.parent.parent.coursedir
        course = Course(Path(coursedir.root), coursedir.db_url)
        handback.for_the_exchange(course, info["assignment"], info["student"])
        return nb, resources


class Grades(GetGrades):
    """nbgrader's GetGrades for a page that shows comments as safe HTML, and what is still open.

    Who grades may well quote in a comment what a student wrote.
    """

    def _get_comment(self, cell, resources):
        super()._get_comment(cell, resources)
        meta = cell.metadata.nbgrader
        if meta["comment"]:
            meta["comment"] = safe_markdown(meta["comment"][:MAX_MARKDOWN])

    def _get_score(self, cell, resources):
        super()._get_score(cell, resources)
        grade = self.gradebook.find_grade(
            cell.metadata.nbgrader["grade_id"],
            self.notebook_id,
            self.assignment_id,
            self.student_id,
        )
        cell.metadata.nbgrader["waiting"] = grade.needs_manual_grade


# Of Markdown that is rendered: characters of a cell, formulas in it, and seconds for a notebook.
MAX_MARKDOWN, MAX_FORMULAS, MAX_SECONDS = 10_000, 200, 3.0
# What the formgrader writes into its page of a submission as it is.
NAMES = ("student", "first_name", "last_name", "notebook_path")


class SafeHTML(Preprocessor):
    """Leaves nothing in a notebook that becomes script in a page made from it.

    nbgrader's feedback and formgrader templates put rendered Markdown into the page as it is,
    whatever the exporter's `sanitize_html` says. So here, before the template: Markdown is
    rendered and cleaned (its renderer passes the result through), outputs are text and bitmaps.
    """

    enabled = Bool(True, help="Whether to do so.").tag(config=True)

    def preprocess(self, nb, resources):
        self._spent = 0.0
        for name in NAMES:
            if isinstance(resources.get(name), str):
                resources[name] = html.escape(resources[name])
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "code":
            cell.outputs = [nbformat.from_dict(o) for o in pipeline.safe_outputs(cell.outputs)]
        elif cell.cell_type == "markdown":
            started = time.process_time()
            # Some Markdown takes time in proportion to the square of its length.
            short = len(cell.source) <= MAX_MARKDOWN and self._spent < MAX_SECONDS
            cell.source = safe_markdown(cell.source) if short else as_it_is(cell.source)
            self._spent += time.process_time() - started
            cell.pop("attachments", None)
        else:
            cell.source = ""
        return cell, resources


# fmt: off
TAGS = {
    "a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1",
    "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "span",
    "strong", "sub", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
}
# fmt: on
# Only pictures that are in the page already: a remote one would tell its server who reads it.
# A tag as bleach writes it: every attribute in quotes, which may hold a >.
TAG = re.compile(r"""(<(?:[^<>"']|"[^"]*"|'[^']*')*>)""")
INLINE_IMAGE = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=]*")


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img":
        return name == "alt" or (name == "src" and bool(INLINE_IMAGE.fullmatch(value)))
    if tag == "a":
        return name == "title" or (name == "href" and value.startswith(("https:", "http:", "#")))
    return name == "class" and tag in ("code", "div", "pre", "span")


class _Renderer(IPythonRenderer):
    """Leaves a mark in the place of each formula, to be drawn when the HTML has been cleaned.

    Nobody can write the marks into a text: they are drawn at random for each text.
    """

    def __init__(self):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.formulas: list[tuple[str, bool]] = []
        self._name = secrets.token_hex(8)
        self.mark = re.compile(rf"formula-{self._name}-(\d+)-")

    def _kept(self, tex: str, display: bool) -> str:
        self.formulas.append((tex, display))
        return f"formula-{self._name}-{len(self.formulas) - 1}-"

    def _embed_image_or_attachment(self, src):
        # Attachments are not taken from a submission; nbconvert fails on one that is missing.
        return "" if src.startswith("attachment:") else src

    def block_math(self, body):
        return self._kept(body, True)

    def inline_math(self, body):
        return self._kept(body, False)

    def latex_environment(self, name, body):
        return self._kept(f"\\begin{{{name}}}{body}\\end{{{name}}}", True)

    def drawn(self, found: re.Match) -> str:
        """The formula in the place of a mark, as HTML."""
        number = int(found[1])
        if number < MAX_FORMULAS:
            return formulas.drawn(*self.formulas[number])
        return self.typed(found)

    def typed(self, found: re.Match) -> str:
        """The formula's TeX in the place of a mark, as text."""
        return html.escape(f"${self.formulas[int(found[1])][0]}$")


@functools.lru_cache(maxsize=4096)
def safe_markdown(source: str) -> str:
    """Markdown whose rendering is that of `source` without script, as one block of HTML.

    Formulas are drawn (autograde.formulas). The block has no line break (they are written as
    character references), so a Markdown renderer finds no end of it and leaves it alone.
    """
    try:
        return _block("div", _rendered(source))
    # No parser of Markdown or HTML has met every text; what it stumbles over costs nobody a mark.
    except Exception:
        return as_it_is(source)


def _rendered(source: str) -> str:
    renderer = _Renderer()
    cleaned = bleach.clean(
        MarkdownWithMath(renderer=renderer).render(source),
        tags=TAGS,
        attributes=_allowed,
        protocols={"http", "https", "data"},
        strip=True,
    )
    # A drawing inside a tag (a picture's alt text) would end its attribute: there, text.
    parts = TAG.split(cleaned)
    parts[0::2] = [renderer.mark.sub(renderer.drawn, part) for part in parts[0::2]]
    parts[1::2] = [renderer.mark.sub(renderer.typed, part) for part in parts[1::2]]
    return "".join(parts).strip()


def as_it_is(source: str) -> str:
    """Markdown that shows `source` as plain text."""
    return _block("pre", html.escape(source))


def _block(tag: str, inside: str) -> str:
    text = inside.replace("\r", "").replace("\n", "&#10;")
    return f"<{tag}>{text}</{tag}>"


def _plain(nb) -> dict:
    """A NotebookNode as plain dicts and lists, a copy."""
    if isinstance(nb, dict):
        return {key: _plain(value) for key, value in nb.items()}
    if isinstance(nb, list):
        return [_plain(value) for value in nb]
    return nb
