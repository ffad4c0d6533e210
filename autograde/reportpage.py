"""The report as one HTML page that needs nothing but itself: no script, no network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

import numpy as np

from autograde import analysis, classdata, excerpts, pages, plots
from autograde.analysis import ExerciseStats, Misconception
from autograde.classdata import ABSENT, ERROR, GRADED, REFUSED, UNGRADED, ClassData, Student
from autograde.course import Course
from autograde.pipeline import MISTAKE_ID, Lab
from autograde.similar import LONG, NEAR, Form, normal_form

# With more of them a page is not read any more; the tables have everything.
MAX_MISTAKES, MAX_BARS, MAX_GROUPS, MAX_TOGETHER = 40, 12, 40, 12
# Bits of intake's reasons -> the reason without any file name, for a page that a class may see.
REASONS = (
    ("is missing", "the lab's notebook is missing"),
    ("there is no folder", "handed in under the name of something else"),
    ("is the notebook of", "the notebook of another lab"),
    ("is not the notebook of", "the notebook of something else"),
    ("breaks off", "the file breaks off"),
    ("not valid JSON", "the file is damaged"),
    ("merge conflicts", "unresolved merge conflicts"),
    ("zip archive", "an archive, not a notebook"),
    ("compressed", "an archive, not a notebook"),
    ("a PDF", "a PDF, not a notebook"),
    ("web page", "a web page, not a notebook"),
    ("is empty", "an empty file"),
    ("is a link", "a link, not a file"),
    (" MB, more than", "the file is too large"),
    (" cells, more than", "too many cells"),
    (" characters in its cells", "too much text"),
)


@dataclass
class Codes:
    """What is kept of the students' answers.

    forms: of the wrong ones, {exercise: {student: normal form}}; inherited: whose are wrong only
    because of another exercise (they are not in `forms`); shortest: the shortest code, with its
    author, for each (exercise, mistake); by_form: the shortest code for each (exercise, form).
    """

    forms: dict[str, dict[str, Form]] = field(default_factory=dict)
    inherited: dict[str, frozenset[str]] = field(default_factory=dict)
    shortest: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    by_form: dict[tuple[str, Form], str] = field(default_factory=dict)


def read_codes(course: Course, lab: Lab, data: ClassData) -> Codes:
    """Read the answers of a class from the executed notebooks, one notebook at a time."""
    stubs = dict(classdata.solution_sources(lab.skeleton["cells"]))
    by_id = {student.id: student for student in data.students}
    codes = Codes()
    forms: dict[str, dict[str, Form]] = {}
    wanted = analysis.written_answers(data).items()
    for student, exercise, code in classdata.answers(course, lab.name, wanted):
        form = normal_form(code, stubs.get(exercise, ""))
        if not form.lines:
            continue
        forms.setdefault(exercise, {})[student] = form
        if not by_id[student].results[exercise].wrong:
            continue
        _keep_shorter(codes.by_form, (exercise, form), code)
        mistake = by_id[student].results[exercise].mistake
        if mistake:
            key = (exercise, mistake)
            if key not in codes.shortest or len(code) < len(codes.shortest[key][0]):
                codes.shortest[key] = (code, student)
    codes.inherited = analysis.inherited(data, forms)
    codes.forms = {
        exercise: {
            student: form
            for student, form in by_student.items()
            if by_id[student].results[exercise].wrong and student not in codes.inherited[exercise]
        }
        for exercise, by_student in forms.items()
    }
    return codes


def _keep_shorter(kept: dict, key, code: str) -> None:
    if key not in kept or len(code) < len(kept[key]):
        kept[key] = code


# --- words -------------------------------------------------------------------------------------


def title(data: ClassData, exercise: str, mistake: str) -> str:
    """A mistake's title from the judge's catalogue, else what its messages say, else its id."""
    found = catalogue_title(data.lab, exercise, mistake)
    if found:
        return found
    results = (student.results.get(exercise) for student in data.graded)
    said = {message_title(r.message) for r in results if r and r.mistake == mistake} - {""}
    words = mistake.replace("_", " ")
    return said.pop() if len(said) == 1 else f"{words[:1].upper()}{words[1:]}."


def message_title(message: str) -> str:
    """The sentence in a message that names the mistake, or nothing."""
    found = re.search(r"What it looks like: (.+?)(?:\n\s*\n|\Z)", message, flags=re.DOTALL)
    return " ".join(found[1].split())[:300] if found else ""


@lru_cache(maxsize=4096)
def catalogue_title(lab: str, exercise: str, mistake: str) -> str:
    """A mistake's title from the judge's catalogue; empty if it has none."""
    from autograde.judge import agents, mistakes
    from course_utils.checks.naming import GENERAL_TITLES

    path = mistakes.CORPUS / lab / exercise / f"bad_{mistake}.py"
    if MISTAKE_ID.fullmatch(mistake) and path.is_file():
        found = mistakes.title(path.read_text(encoding="utf-8"))
        if found:
            return found
    return GENERAL_TITLES.get(mistake) or agents.TITLES.get(mistake) or ""


def percent(share: float) -> str:
    return "none" if share != share else f"{100 * share:.0f} %"


def points(value: float) -> str:
    return "-" if value != value else f"{value:.3g}"


def people(count: int, noun: str = "student") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def lecture_points(
    data: ClassData, found: Sequence[Misconception], stats: Sequence[ExerciseStats]
) -> list[dict[str, str]]:
    """What the data suggest to talk about: the most frequent misconceptions, then the rest."""
    result = []
    for m in found[: analysis.TOP]:
        what = title(data, m.exercise, m.mistake)
        how_many = f"{len(m.students)} of {m.of} ({percent(m.share)})"
        result.append({"text": what, "detail": f"{how_many} in {m.exercise}"})
    hardest = analysis.hardest(stats)
    if hardest:
        text = f"{hardest.name} is the exercise that the fewest got right."
        detail = f"{hardest.passed} of {hardest.n} ({percent(hardest.pass_rate)}) have all points"
        if hardest.inherited:
            detail += f"; {hardest.inherited} lost some only by an earlier exercise"
        result.append({"text": text, "detail": detail})
    unwritten = max(stats, key=lambda s: s.not_written, default=None)
    if unwritten and 10 * unwritten.not_written >= len(data.graded) > 0:
        text = f"{unwritten.name} was left unwritten the most often."
        share = percent(unwritten.not_written / len(data.graded))
        detail = f"{unwritten.not_written} of {len(data.graded)} ({share})"
        result.append({"text": text, "detail": detail})
    return result


def general_reason(reason: str) -> str:
    """Why intake refused a submission, without what its author called their files."""
    return next((words for bit, words in REASONS if bit in reason), "something else")


# --- the page ----------------------------------------------------------------------------------


def contents(
    data: ClassData, codes: Codes, *, anonymous: bool = False, now: datetime | None = None
) -> dict:
    """All that the page shows, as plain data for the template.

    anonymous: without students' ids, comments in code, and file names.
    """
    now = now or datetime.now().astimezone()
    found = analysis.misconceptions(data, codes.inherited)
    stats = analysis.exercise_stats(data, codes.inherited)
    names = excerpts.people(data.students)
    return {
        "lab": data.lab,
        "anonymous": anonymous,
        "now": now.strftime("%Y-%m-%d %H:%M %Z").strip(),
        "due": data.due.strftime("%Y-%m-%d %H:%M UTC") if data.due else "",
        "counts": counts(data),
        "lecture": lecture_points(data, found, stats),
        "totals": _totals(data),
        "exercises": stats,
        "manual": data.manual,
        "exercise_figure": _exercise_figure(stats),
        "few": analysis.FEW,
        "misconceptions": [
            _misconception(data, codes, m, names, anonymous) for m in found[:MAX_MISTAKES]
        ],
        "more_misconceptions": len(found) - MAX_MISTAKES,
        "misconception_figure": _misconception_figure(data, found),
        "other_mistakes": [
            {
                "text": title(data, m.exercise, m.mistake),
                "exercise": m.exercise,
                "count": len(m.students),
            }
            for m in analysis.named_mistakes(data, codes.inherited)
            if m.mistake in analysis.NO_IDEA
        ],
        "aspects": analysis.aspect_table(data),
        "disagreements": analysis.disagreements(data),
        "time": _time(data),
        **_groups(data, codes, names, anonymous),
        "near": percent(NEAR),
        "long": LONG,
        **_people(data, anonymous),
    }


def counts(data: ClassData) -> dict[str, int]:
    handed_in = data.with_status(GRADED, REFUSED, ERROR, UNGRADED)
    return {
        "roster": sum(student.enrolled for student in data.students) if data.has_roster else 0,
        "strangers": sum(not student.enrolled for student in data.students),
        "handed_in": len(handed_in),
        "graded": len(data.graded),
        "refused": len(data.with_status(REFUSED)),
        "errors": len(data.with_status(ERROR)),
        "ungraded": len(data.with_status(UNGRADED)),
        "absent": len(data.with_status(ABSENT)),
        "late": sum(student.late_seconds > 0 for student in handed_in),
        "open": sum(bool(student.open) for student in data.graded),
        "unreadable": data.unreadable,
        "unmatched": data.unmatched,
    }


def _figure(figure, key: str, name: str, description: str, caption: str) -> dict[str, str]:
    return {"svg": plots.svg(figure, key, name, description), "caption": caption}


def _totals(data: ClassData) -> dict:
    found = analysis.totals(data)
    if not found.values:
        return {"n": 0}
    low, middle, high = (found.quantile(q) for q in (0.25, 0.5, 0.75))
    full = sum(value >= found.of - 1e-9 for value in found.values)
    description = (
        f"Histogram of the points of {people(len(found.values))}: median {middle:.3g} of "
        f"{found.of:g}, middle half from {low:.3g} to {high:.3g}, mean {found.mean:.3g}; "
        f"{full} with all points."
    )
    return {
        "n": len(found.values),
        "of": found.of,
        "low": low,
        "median": middle,
        "high": high,
        "mean": found.mean,
        "full": full,
        "only_automatic": found.only_automatic,
        "figure": _figure(
            plots.totals_histogram(found.values, found.of),
            "totals",
            "Points",
            description,
            "How many students have how many points.",
        ),
    }


def _exercise_figure(stats: Sequence[ExerciseStats]) -> dict | None:
    shown = [s for s in stats if s.n]
    if not shown:
        return None
    description = "; ".join(
        f"{s.name}: {percent(s.pass_rate)} with all points, mean {percent(s.difficulty)}"
        for s in shown
    )
    figure = plots.exercise_bars(
        [s.name for s in shown], [s.pass_rate for s in shown], [s.difficulty for s in shown]
    )
    caption = (
        "In the lab's order. Bar: students with all points. Diamond: mean share of the points."
    )
    return _figure(figure, "exercises", "Exercises", description, caption)


def _misconception_figure(data: ClassData, found: Sequence[Misconception]) -> dict | None:
    if not found:
        return None
    shown = found[:MAX_BARS]
    labels = [f"{m.exercise}: {m.mistake.replace('_', ' ')}" for m in shown]
    description = "; ".join(
        f"{label}: {len(m.students)}" for label, m in zip(labels, shown, strict=True)
    )
    figure = plots.count_bars(labels, [len(m.students) for m in shown], len(data.graded))
    caption = f"The {len(shown)} most frequent." if len(found) > len(shown) else "All of them."
    return _figure(figure, "misconceptions", "Misconceptions", description, caption)


def _misconception(data: ClassData, codes: Codes, m: Misconception, names, anonymous: bool) -> dict:
    code, author = codes.shortest.get((m.exercise, m.mistake), ("", ""))
    by_id = {student.id: student for student in data.students}
    example = by_id[author or m.students[0]]
    message = excerpts.without_people(
        example.results[m.exercise].message, excerpts.people([example])
    )
    return {
        "title": title(data, m.exercise, m.mistake),
        "id": m.mistake,
        "exercise": m.exercise,
        "count": len(m.students),
        "of": m.of,
        "share": percent(m.share),
        "code": excerpts.code_excerpt(code, names, comments=not anonymous) if code else "",
        "message": excerpts.visible(excerpts.bounded(message)),
    }


def _groups(data: ClassData, codes: Codes, names, anonymous: bool) -> dict:
    found = analysis.answer_groups(data, codes.forms)
    long = [g for g in found if not g.group.short]
    short = [g for g in found if g.group.short]
    pairs = analysis.together(found)

    def shown(g: analysis.AnswerGroup) -> dict:
        form = codes.forms[g.exercise][g.group.members[0]]
        return {
            "exercise": g.exercise,
            "count": len(g.group.members),
            "wrong": g.wrong,
            "forms": g.group.forms,
            "tokens": g.group.tokens,
            "students": [] if anonymous else list(g.group.members),
            "mistakes": [
                (title(data, g.exercise, mistake) if mistake else "Not recognized.", n)
                for mistake, n in g.mistakes
            ],
            "code": excerpts.code_excerpt(
                codes.by_form[g.exercise, form], names, comments=not anonymous
            ),
        }

    return {
        "groups": [shown(g) for g in long[:MAX_GROUPS]],
        "short_groups": [shown(g) for g in short[:MAX_GROUPS]],
        "n_groups": len(long),
        "n_short_groups": len(short),
        "more_groups": max(len(long) - MAX_GROUPS, 0) + max(len(short) - MAX_GROUPS, 0),
        "together": [
            {
                "students": [] if anonymous else list(t.students),
                "count": len(t.students),
                "groups": [
                    {"exercise": g.exercise, "count": len(g.group.members), "wrong": g.wrong}
                    for g in t.groups
                ],
            }
            for t in pairs[:MAX_TOGETHER]
        ],
        "more_together": max(len(pairs) - MAX_TOGETHER, 0),
    }


def _time(data: ClassData) -> dict:
    hours, seconds = analysis.hours_before_due(data), analysis.kernel_seconds(data)
    late = sum(h < 0 for h in hours)
    result: dict = {
        "timeouts": sum(student.timeouts > 0 for student in data.graded),
        "deaths": sum(student.kernel_deaths > 0 for student in data.graded),
        "handed_in": None,
        "kernel": None,
    }
    if hours:
        last_day = sum(0 <= h < 24 for h in hours)
        result["last_day"], result["with_time"] = last_day, len(hours)
        result["handed_in"] = _figure(
            plots.handed_in(hours),
            "handed-in",
            "When it was handed in",
            f"{len(hours)} submissions by time relative to the due date: {last_day} in the last "
            f"24 hours before it, {late} after it.",
            "When submissions came in; hatched: late.",
        )
    if seconds:
        middle, high = np.quantile(seconds, [0.5, 1.0])
        result["median"], result["longest"] = middle, high
        result["kernel"] = _figure(
            plots.kernel_time(seconds),
            "kernel",
            "How long the kernels ran",
            f"{len(seconds)} submissions: median {middle:.3g} s, longest {high:.3g} s.",
            "How long the kernels of the submissions ran, by the clock.",
        )
    return result


def _people(data: ClassData, anonymous: bool) -> dict:
    def ids(students: Iterable[Student]) -> list[str]:
        return [student.id for student in students]

    refused = data.with_status(REFUSED)
    reasons = Counter(general_reason(student.reason) for student in refused)
    if anonymous:
        return {
            "reasons": reasons.most_common(),
            "refused": [],
            "errors": [],
            "ungraded": [],
            "absent": [],
            "open": [],
            "strangers": [],
        }
    return {
        "reasons": reasons.most_common(),
        "refused": refused,
        "errors": data.with_status(ERROR),
        "ungraded": data.with_status(UNGRADED),
        "absent": ids(data.with_status(ABSENT)),
        "open": ids(student for student in data.graded if student.open),
        "strangers": ids(student for student in data.students if not student.enrolled),
    }


def render(values: dict) -> str:
    """The page from its contents. Every value is escaped; the figures are ours."""
    from markupsafe import Markup

    filters = {
        "shown": lambda text: excerpts.visible(str(text)),
        "svg": lambda figure: Markup(figure["svg"]),
        "code": lambda text: Markup(highlighted(text)),
        "percent": percent,
        "points": points,
        "people": people,
    }
    return pages.render("report.html", values, filters)


def highlighted(code: str) -> str:
    """Code as HTML with classes for colors; short code only (see autograde.excerpts)."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))
