"""The class report: right numbers, safe text, tables that an LMS takes, any size of class."""

from __future__ import annotations

import csv
import io
import math
import shutil
import time
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import mini
import numpy as np
import pytest
from matplotlib.figure import Figure
from synthetic import Made, make, right, wrong

from autograde import analysis, build, classdata, cli, excerpts, exports, plots, report, reportpage
from autograde.classdata import ClassData, Result, Student
from autograde.course import COURSE_ID, Course
from autograde.errors import CourseError
from autograde.pipeline import load_lab
from autograde.similar import LONG, groups, normal_form

DUE = datetime(2026, 5, 31, 22)
NOW = DUE + timedelta(days=1)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = mini.make_course(tmp_path_factory.mktemp("course"))
    build.register(Course(folder), mini.LAB)
    return folder


@pytest.fixture
def course(base, tmp_path):
    shutil.copytree(base, tmp_path / "c")
    return Course(tmp_path / "c")


def made(name: str, square=None, hypotenuse=None, **more) -> Made:
    results = {"square": square or right(2), "hypotenuse": hypotenuse or right(3)}
    return Made(name, results, **{"by_hand": {"why_positive": 1.0}, **more})


def load(course) -> ClassData:
    return classdata.load(course, load_lab(course, mini.LAB))


def page(course, **options) -> str:
    report.write_report(course, mini.LAB, **options)
    return (course.reports / mini.LAB / "report.html").read_text(encoding="utf-8")


def read_csv(course, name: str) -> list[dict[str, str]]:
    text = (course.reports / mini.LAB / name).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def roster(course, text: str) -> None:
    (course.root / "autograde/roster.csv").write_text(text, encoding="utf-8")


def due(course, when: datetime = DUE) -> None:
    (course.root / "autograde/duedates.csv").write_text(f"lab,due\n{mini.LAB},{when.isoformat()}\n")


# --- numbers -----------------------------------------------------------------------------------


def student(name: str, scores: dict[str, float], maximum: float = 4.0, **more) -> Student:
    results = {
        n: Result(score, maximum, auto=score, passed=score == maximum)
        for n, score in scores.items()
    }
    return Student(name, "graded", score=sum(scores.values()), results=results, **more)


def class_of(rows: list[dict[str, float]]) -> ClassData:
    students = tuple(student(f"s{i:03}", row) for i, row in enumerate(rows))
    return ClassData("lab", dict.fromkeys(rows[0], 4.0), {}, students)


def test_item_statistics_against_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    ability = rng.normal(size=60)
    scores = np.clip(np.round(2 + ability[:, None] + rng.normal(size=(60, 3))), 0, 4)
    scores[:, 2] = 4.0 * (scores[:, 2] > 2)  # right or wrong only
    data = class_of([dict(zip("abc", row, strict=True)) for row in scores.tolist()])
    found = {s.name: s for s in analysis.exercise_stats(data)}
    rest = scores.sum(axis=1, keepdims=True) - scores
    expected = stats.pearsonr(scores[:, 0], rest[:, 0]).statistic
    assert found["a"].discrimination == pytest.approx(expected)
    expected = stats.pointbiserialr(scores[:, 2] == 4, rest[:, 2]).statistic
    assert found["c"].discrimination == pytest.approx(expected)
    assert found["b"].difficulty == pytest.approx(scores[:, 1].mean() / 4)
    assert found["b"].passed == (scores[:, 1] == 4).sum()


def test_no_discrimination_without_enough_students_or_spread():
    few = class_of([{"a": float(i % 5), "b": float(i % 3)} for i in range(9)])
    assert [s.no_discrimination for s in analysis.exercise_stats(few)] == ["too few (under 10)"] * 2
    flat = class_of([{"a": 4.0, "b": float(i % 3)} for i in range(12)])
    a, b = analysis.exercise_stats(flat)
    assert (a.discrimination, a.no_discrimination) == (None, "all the same")
    assert (b.discrimination, b.no_discrimination) == (None, "the rest all the same")
    one = class_of([{"a": float(i % 3)} for i in range(12)])
    assert analysis.exercise_stats(one)[0].no_discrimination == "the only exercise"


def test_points_are_on_one_scale_while_answers_wait_for_a_person(course):
    make(course, mini.LAB, [made("ann"), made("bob", by_hand={"why_positive": None})])
    found = analysis.totals(load(course))
    assert (found.values, found.of, found.only_automatic) == ((5.0, 5.0), 5.0, True)
    make(course, mini.LAB, [made("cat")])
    data = load(course)
    data = ClassData(**{**vars(data), "students": tuple(s for s in data.students if not s.open)})
    found = analysis.totals(data)
    assert (found.values, found.of, found.only_automatic) == ((6.0, 6.0), 6.0, False)


def test_misconceptions_by_frequency_then_by_points_lost(course):
    make(
        course,
        mini.LAB,
        [
            made("a", wrong(2, "doubled"), wrong(3, "forgot_root")),
            made("b", wrong(2, "doubled"), wrong(3, "not_written")),
            made("c", wrong(2, "sign", 1.0), wrong(3, None)),
            made("d", status="refused", reason="x is empty", square=wrong(2), hypotenuse=wrong(3)),
        ],
    )
    data = load(course)
    found = [(m.exercise, m.mistake, m.students) for m in analysis.misconceptions(data)]
    assert found == [
        ("square", "doubled", ("a", "b")),
        ("hypotenuse", "forgot_root", ("a",)),
        ("square", "sign", ("c",)),
    ]
    assert analysis.misconceptions(data)[0].share == pytest.approx(2 / 3)
    square, hypotenuse = analysis.exercise_stats(data)
    assert (square.n, square.passed, square.unnamed) == (3, 0, 0)
    assert (hypotenuse.not_written, hypotenuse.unnamed) == (1, 1)


def test_aspects_and_checks_that_disagree(course):
    value_wrong = wrong(2, "doubled", visible_pass=True)
    purity_only = wrong(2, "modifies_input", score=1.6, visible_pass=True)
    make(
        course,
        mini.LAB,
        [made("a", value_wrong), made("b", purity_only), made("c", right(2, visible_pass=False))],
    )
    data = load(course)
    table = analysis.aspect_table(data)
    assert table.failed["square"] == {"value": 1, "purity": 1}
    assert table.failed["hypotenuse"] == {"value": 0, "purity": 0}
    assert table.names == ("value", "purity") and table.totals == [("purity", 1)]
    (found,) = analysis.disagreements(data)
    assert (found.exercise, found.lenient, found.strict) == ("square", ("a", "b"), ("c",))
    assert found.reported == 3 and dict(found.lost) == {"value": 1, "purity": 2}


# --- equal answers -----------------------------------------------------------------------------

STUB = '''def f(new, old):
    """Ratio."""
    # YOUR CODE HERE
    raise NotImplementedError()
'''
ANSWER = '''def f(new, old):
    """Ratio."""
    ratio = (new - old).exp()
    return ratio.mean()
'''
NETWORK = """class N:
    def __init__(self):
        self.net = make()

    def go(self):
        return self.net.grad
"""


@pytest.mark.parametrize(
    "other",
    [
        "def f(a, b):\n    r = (a - b).exp()  # the ratio\n    return r.mean()\n",
        "def f(new: 'x', old) -> int:\n\n    q: float = (new - old).exp()\n    return q.mean()\n",
        "def f( new,old ):\n  'Other words.'\n  pass\n  z = (new-old).exp()\n  return (z.mean())",
    ],
)
def test_names_comments_and_layout_do_not_matter(other):
    assert normal_form(other, STUB) == normal_form(ANSWER, STUB)
    assert normal_form(other, STUB).lines


@pytest.mark.parametrize(
    "other",
    [
        ANSWER.replace("mean", "sum"),
        ANSWER.replace("new - old", "old - new"),
        ANSWER.replace("ratio.mean()", "2 * ratio.mean()"),
        ANSWER.replace("(new - old)", "torch.sub(new, old)"),
    ],
)
def test_what_an_answer_does_matters(other):
    assert normal_form(other, STUB) != normal_form(ANSWER, STUB)


def test_own_attributes_are_names_and_foreign_ones_are_not():
    assert normal_form(NETWORK.replace("net", "body")) == normal_form(NETWORK)
    assert normal_form(NETWORK.replace("grad", "data")) != normal_form(NETWORK)


@pytest.mark.parametrize("code", ["def f(:\n  x = 1 # a", "(" * 5000, "-" * 19_000 + "1", "\0", ""])
def test_any_text_has_a_normal_form(code):
    assert isinstance(normal_form(code, STUB).tokens, list)


def test_the_stub_is_no_group():
    forms = {name: normal_form(STUB + "\n# hm\n", STUB) for name in "abc"}
    assert groups(forms) == []


def long_answer(start: int, changed: int = 0, size: int = 2 * LONG) -> str:
    lines = [f"x = x + {start}.{i}" if i >= changed else f"x = x * {i}" for i in range(size // 5)]
    return "\n".join(lines)


def test_groups_are_around_an_answer_and_short_ones_have_to_be_the_same():
    forms = {
        "a": normal_form(long_answer(1, 0)),
        "b": normal_form(long_answer(1, 0)),
        "c": normal_form(long_answer(1, 3)),
        "d": normal_form(long_answer(1, 6)),  # near c, not near a and b
        "e": normal_form(long_answer(7, 0)),
    }
    (near,) = groups(forms)
    assert near.members == ("a", "b", "c") and near.forms == 2 and not near.short
    short = {"a": "return x.sum()", "b": "return x.sum( )", "c": "return x.sum() + 0"}
    (same,) = groups({key: normal_form(code) for key, code in short.items()})
    assert same.members == ("a", "b") and same.forms == 1 and same.short


def test_who_is_together_more_than_once_comes_first(course):
    codes = {n: f"def square(x):\n    return {n} * x" for n in range(4)}
    more = {n: f"def hypotenuse(a, b):\n    return {n} + a" for n in range(4)}

    def one(name, square, hypotenuse):
        code = {"square": codes[square], "hypotenuse": more[hypotenuse]}
        return made(name, wrong(2), wrong(3), code=code)

    # Three have the common wrong square; x and y also the rare wrong hypotenuse.
    make(
        course,
        mini.LAB,
        [one("x", 0, 1), one("y", 0, 1), one("z", 0, 2), one("v", 1, 3), one("w", 2, 3)],
    )
    data = load(course)
    codes = reportpage.read_codes(course, load_lab(course, mini.LAB), data)
    found = analysis.answer_groups(data, codes.forms)
    assert {(g.exercise, g.group.members, g.wrong) for g in found} == {
        ("square", ("x", "y", "z"), 5),
        ("hypotenuse", ("x", "y"), 5),
        ("hypotenuse", ("v", "w"), 5),
    }
    (pair,) = analysis.together(found)
    assert pair.students == ("x", "y") and len(pair.groups) == 2


def test_points_lost_by_an_earlier_exercise_are_no_equal_wrong_answer(course):
    calls = "def hypotenuse(a, b):\n    return square(a) ** 0.5"
    own = "def hypotenuse(a, b):\n    return a + b"
    same = "def hypotenuse(a, b):\n    c = (a * a + b * b) ** 0.5\n    return c"
    bad = "def square(x):\n    return -x"
    make(
        course,
        mini.LAB,
        [
            made("calls", wrong(2), wrong(3, None), code={"square": bad, "hypotenuse": calls}),
            made("twin", wrong(2), wrong(3, None), code={"square": bad, "hypotenuse": calls}),
            made("own", wrong(2), wrong(3, None), code={"square": bad, "hypotenuse": own}),
            made("right", code={"square": mini.GOOD["square"], "hypotenuse": same}),
            made("unlucky", hypotenuse=wrong(3, "odd"), code={"hypotenuse": same}),
        ],
    )
    data = load(course)
    codes = reportpage.read_codes(course, load_lab(course, mini.LAB), data)
    assert codes.inherited["hypotenuse"] == {"calls", "twin", "unlucky"}
    assert codes.forms["hypotenuse"].keys() == {"own"}
    assert codes.inherited["square"] == set()
    stats = analysis.exercise_stats(data, codes.inherited)[1]
    assert (stats.inherited, stats.unnamed) == (3, 1)
    assert "odd" not in {m.mistake for m in analysis.misconceptions(data, codes.inherited)}


# --- excerpts ----------------------------------------------------------------------------------


def test_nothing_invisible_is_shown():
    assert (
        excerpts.visible("a\u202eb\u200bc\x1b[31m\n\té") == "a<U+202E>b<U+200B>c<U+001B>[31m\n\té"
    )


def test_code_is_shown_without_docstring_and_people():
    names = excerpts.people([Student("max", "graded", who={"email": "maxine.moe@x.org"})])
    code = (
        'def f(x):\n    """Given\n    text."""\n    # YOUR CODE HERE\n    # Max did this\n'
        '    y = x.max()  # maxine.moe\n    s = "by max"\n    return y, s\n'
    )
    shown = excerpts.code_excerpt(code, names)
    assert shown == (
        "def f(x):\n    # [name] did this\n    y = x.max()  # [name]\n"
        '    s = "by [name]"\n    return y, s'
    )
    shown = excerpts.code_excerpt(code, names, comments=False)
    assert shown == 'def f(x):\n    y = x.max()\n    s = "by [name]"\n    return y, s'
    broken = excerpts.code_excerpt("def f(:\n  # max\n  x = 'max", names, comments=False)
    assert "max" not in broken
    assert excerpts.code_excerpt("x = 1\n" * 9_000).count("\n") == excerpts.MAX_LINES


# --- figures -----------------------------------------------------------------------------------

FIGURES = {
    "no totals": lambda: plots.totals_histogram([], 44),
    "one total": lambda: plots.totals_histogram([44.0], 44),
    "totals": lambda: plots.totals_histogram([0, 3.5, 44, 44], 44),
    "a point": lambda: plots.totals_histogram([0.5, 1], 1),
    "exercises": lambda: plots.exercise_bars(["a", "b_$x$"], [0.5, math.nan], [0.6, math.nan]),
    "no counts": lambda: plots.count_bars([], [], 0),
    "counts": lambda: plots.count_bars(["a: <b>", "c"], [3, 1], 20),
    "no times": lambda: plots.handed_in([]),
    "one time": lambda: plots.handed_in([0.0]),
    "times": lambda: plots.handed_in([1, 5, -3, 9000]),
    "no kernels": lambda: plots.kernel_time([]),
    "kernels": lambda: plots.kernel_time([0.5, 2, 30]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_any_data_fit_into_a_page(name):
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    text = plots.svg(figure, "key", "A <title>", "What & how")
    assert '<title id="key-title">A &lt;title&gt;</title>' in text
    assert "What &amp; how</desc>" in text and 'role="img"' in text
    # Follows the page: its own colors and font are gone, and nothing comes from elsewhere.
    assert not set("#").intersection(part[:1] for part in text.split("fill: ")[1:])
    assert "DejaVu" not in text and "<style" not in text and "metadata" not in text
    assert text.count("http") == text.count("http://www.w3.org/")


def test_figures_show_the_data():
    bars = FIGURES["counts"]().axes[0]
    assert [bar.get_width() for bar in bars.patches] == [3, 1]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["a: <b>", "c"]
    histogram = FIGURES["totals"]().axes[0]
    assert sum(p.get_height() for p in histogram.patches if p.get_width() < 3) >= 4
    times = plots.handed_in([0.0, 2.0, -1.0, -5.0]).axes[0]
    on_time = sum(p.get_height() for p in times.patches if p.get_x() + p.get_width() <= 0.2)
    late = sum(p.get_height() for p in times.patches if p.get_hatch())
    assert (on_time, late) == (2, 2), "to the second is in time"


# --- reading a class ---------------------------------------------------------------------------


def test_scores_are_the_gradebooks_and_the_rest_is_the_rows(course):
    half = made("ann", wrong(2, "doubled"), manual={"square": 1.5}, by_hand={"why_positive": 0.5})
    make(course, mini.LAB, [half])
    (ann,) = load(course).students
    assert ann.score == 5.0 and ann.complete
    result = ann.results["square"]
    assert (result.score, result.auto, result.overruled, result.mistake) == (
        1.5, 0.0, True, "doubled",
    )  # fmt: skip


def test_everyone_is_there_whatever_became_of_them(course):
    due(course)
    roster(course, "student,due_mini_lab\nann,\nBob,\nlazy,\nlater,2027-01-01T00:00\n")
    received = DUE + timedelta(hours=2)
    make(
        course,
        mini.LAB,
        [
            made("ann", received=received, late_seconds=7200),
            made("zip", wrong(2, None), wrong(3, None), status="refused", reason="x is empty"),
            Made("crash", status="error", reason="InternalError: <no> answer"),
        ],
    )
    mini.hand_in(course.root, "bob", mini.solved(course.root))
    unmatched = course.collected / mini.LAB / ".unmatched" / "someone" / "1"
    unmatched.mkdir(parents=True)
    (unmatched / "attempt.json").write_text("{}")
    found = {s.id: s for s in load(course).students}
    assert {name: s.status for name, s in found.items()} == {
        "ann": "graded", "zip": "refused", "crash": "error", "bob": "ungraded",
        "lazy": "absent", "later": "absent",
    }  # fmt: skip
    assert found["bob"].enrolled and not found["zip"].enrolled
    assert found["crash"].reason.startswith("InternalError: <no> answer (see autograde/state/")
    assert found["ann"].late_seconds == 7200 and found["zip"].score == 0.0
    counts = reportpage.counts(load(course))
    expected = {"handed_in": 4, "refused": 1, "absent": 2, "late": 1, "errors": 1, "roster": 4}
    expected |= {"strangers": 2, "unmatched": 1, "ungraded": 1}
    assert {name: counts[name] for name in expected} == expected


def test_rows_of_an_older_version_and_broken_ones(course):
    make(course, mini.LAB, [made("ann"), made("bob")])
    graded = course.state / mini.LAB / "graded"
    (graded / "ann.json").write_text(
        '{"key": "k", "row": {"student": "ann", "status": "graded", '
        '"exercises": {"square": {"score": 1.0, "max": 2.0}, "gone": {"score": 1}}}}'
    )
    (graded / "bob.json").write_text('{"key": "k", "row": [1]}')
    (graded / "cat.json").write_text("{")
    data = load(course)
    assert data.unreadable == 2
    ann, bob = data.students
    assert ann.results["square"].auto == 1.0 and ann.results["hypotenuse"].auto is None
    assert bob.status == "graded" and bob.score == 6.0  # as after plain `nbgrader autograde`
    assert "2 records in autograde/state" in page(course)


def test_before_grading_there_is_one_clear_line(course, capsys):
    arguments = ["report", mini.LAB, "--course", str(course.root)]
    assert cli.main(arguments) == 2
    assert "grade mini_lab" in capsys.readouterr().err
    assert cli.main(["report", "mini_lap", "--course", str(course.root)]) == 2
    assert "did you mean mini_lab" in capsys.readouterr().err
    assert not course.reports.exists()
    make(course, mini.LAB, [made("ann")])
    elsewhere = course.root / "other.db"
    assert cli.main([*arguments, "--db", f"sqlite:///{elsewhere}"]) == 2
    assert "name the gradebook that was used" in capsys.readouterr().err
    assert not elsewhere.exists(), "asking made a gradebook"
    elsewhere.write_text("no database, whatever it is called")
    assert cli.main([*arguments, "--db", f"sqlite:///{elsewhere}"]) == 1
    assert cli.main([*arguments, "--db", "nonsense"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "gradebook cannot be read" in lines[0]
    assert "not a SQLAlchemy URL" in lines[1]


def test_another_gradebook(course, capsys):
    other = Course(course.root, f"sqlite:///{course.root / 'other.db'}")
    make(other, mini.LAB, [made("ann")])
    arguments = ["report", mini.LAB, "--course", str(course.root), "--db", other.db]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out.splitlines()
    assert [Path(line).name for line in out[:4]] == [
        "report.html", "exercises.csv", "grades.csv", "grades_canvas.csv",
    ]  # fmt: skip
    assert "1 handed in, 1 graded" in out[4] and len(out) <= 15


# --- tables ------------------------------------------------------------------------------------

HOSTILE = "=cmd|' /C calc'!A0"


def test_no_cell_is_a_formula(course):
    for text in ("=1+1", "+1", "-1", "@x", "\t=1", " =1", "\r=1", "＝1"):
        assert exports.safe(text).startswith(("'", "?")), text
    assert [exports.safe(t) for t in ("-", "ann", "1-2", "a=b")] == ["-", "ann", "1-2", "a=b"]
    message = f"{HOSTILE}\nsecond line"
    make(course, mini.LAB, [made("@ann", wrong(2, "doubled", message=message)), made("-bob")])
    report.write_report(course, mini.LAB)
    for name in ("exercises.csv", "grades.csv", "grades_canvas.csv"):
        for row in read_csv(course, name):
            for cell in row.values():
                is_number = cell.replace(".", "").replace("-", "").isdigit() or cell in ("", "-")
                assert is_number or not cell.startswith(exports.FORMULA), (name, cell)
    first = read_csv(course, "exercises.csv")[3]
    assert first["student"] == "'@ann" and first["message"] == f"'{HOSTILE}"


def test_a_row_per_student_and_exercise(course):
    roster(course, "student\nann\nbob\nlazy\n")
    make(
        course,
        mini.LAB,
        [
            made("ann", wrong(2, "doubled", 0.5), by_hand={"why_positive": None}),
            made("bob", wrong(2, "doubled"), manual={"square": 2.0}),
        ],
    )
    report.write_report(course, mini.LAB)
    rows = {(row["student"], row["exercise"]): row for row in read_csv(course, "exercises.csv")}
    assert len(rows) == 9
    ann = rows["ann", "square"]
    assert (ann["score"], ann["max"], ann["passed"], ann["mistake"]) == (
        "0.5",
        "2",
        "no",
        "doubled",
    )
    assert ann["message"] == "not right yet."
    assert rows["ann", "why_positive"]["score"] == ""
    assert rows["ann", "why_positive"]["message"] == "not graded by hand yet"
    assert (rows["bob", "square"]["score"], rows["bob", "square"]["passed"]) == ("2", "yes")
    assert rows["bob", "square"]["message"] == "changed by hand; not right yet."
    assert rows["bob", "why_positive"]["score"] == "1"
    assert rows["lazy", "square"]["message"] == "not handed in"
    assert rows["lazy", "square"]["score"] == ""


LMS_ROSTER = (
    "student,first_name,last_name,email,login,id_number,lms_id,section,due_mini_lab\n"
    "ann,Ann,Ames,ann@x.org,aames,1001,77,A,\n"
    "bob,Bob,,,bob1,1002,78,B,\n"
    "lazy,,,l@x.org,lazy1,1003,79,A,\n"
    "later,,,la@x.org,later1,1004,80,A,2099-01-01T00:00\n"
)


def lms_class(course):
    due(course)
    roster(course, LMS_ROSTER)
    make(
        course,
        mini.LAB,
        [
            made("ann", late_seconds=3600, penalty=2.0),
            made("bob", by_hand={"why_positive": None}),
            made("zip", wrong(2, None), wrong(3, None), status="refused", reason="x is empty"),
            Made("crash", status="error", reason="InternalError: boom"),
        ],
    )


def test_what_moodle_is_told(course):
    lms_class(course)
    summary, _ = report.write_report(course, mini.LAB)
    rows = {row["ID number"]: row for row in read_csv(course, "grades.csv")}
    assert list(rows) == ["1001", "1002", "crash", "1004", "1003", "zip"]
    ann = rows["1001"]
    assert ann["First name"] == "Ann" and ann["Email address"] == "ann@x.org"
    assert ann["Username"] == "aames"
    assert (ann["mini_lab"], ann["mini_lab late penalty"], ann["mini_lab maximum"]) == (
        "4",
        "2",
        "6",
    )
    assert ann["mini_lab status"] == "complete"
    assert rows["1002"]["mini_lab"] == "-"
    assert rows["1002"]["mini_lab status"] == ("incomplete: 5 of 6 so far; to grade: why_positive")
    assert rows["crash"]["mini_lab"] == "-" and "grader failed" in rows["crash"]["mini_lab status"]
    assert (rows["zip"]["mini_lab"], rows["zip"]["mini_lab status"]) == ("0", "refused: x is empty")
    assert rows["1003"]["mini_lab"] == "0", "not handed in, and due"
    assert rows["1004"]["mini_lab"] == "-", "not handed in, but due later"
    text = "\n".join(summary)
    assert "Email address is empty for 3 students: do not map by it" in text
    assert "not on the roster: crash, zip" in text


def test_what_canvas_is_told(course):
    lms_class(course)
    report.write_report(course, mini.LAB)
    path = course.reports / mini.LAB / "grades_canvas.csv"
    heading, possible, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
    # Nothing after these columns but assignments: Canvas makes one of every other heading.
    assert heading == [
        "Student", "ID", "SIS User ID", "SIS Login ID", "Section", "mini_lab",
    ]  # fmt: skip
    assert possible == ["    Points Possible", "", "", "", "", "6"]
    by_login = {row[3]: row for row in rows}
    assert by_login["aames"] == ["Ames, Ann", "77", "1001", "aames", "A", "4"]
    assert by_login["bob1"][5] == "" and by_login["later1"][5] == ""
    assert by_login["zip"][5] == "0" and by_login["lazy1"][5] == "0"


def test_nbgraders_export_gives_the_same_table(course, tmp_path):
    from nbgrader.api import Gradebook

    lms_class(course)
    report.write_report(course, mini.LAB)
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        for layout, name in (("moodle", "grades.csv"), ("canvas", "grades_canvas.csv")):
            exporter = exports.LMSExporter(to=str(tmp_path / name), layout=layout)
            app = SimpleNamespace(coursedir=SimpleNamespace(root=str(course.root)))
            exporter.__dict__["parent"] = app
            exporter._course = lambda book: Course(course.root)
            exporter.export(gradebook)
            assert (tmp_path / name).read_bytes() == (course.reports / mini.LAB / name).read_bytes()
        exporter = exports.LMSExporter(to=str(tmp_path / "x"), student=["bob"], assignment=["no"])
        exporter._course = lambda book: Course(course.root)
        with pytest.raises(CourseError, match="no assignment 'no'"):
            exporter.export(gradebook)
        exporter.assignment = [mini.LAB]
        exporter.export(gradebook)
        assert len((tmp_path / "x").read_text().splitlines()) == 2


# --- the page ----------------------------------------------------------------------------------


class Scan(HTMLParser):
    """What in a page could run or fetch something, and its visible text."""

    def __init__(self, text: str):
        super().__init__()
        self.bad, self.text, self.anchors, self.ids = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag in ("script", "iframe", "object", "embed", "link", "form", "base", "img", "marquee"):
            self.bad.append(tag)
        for name, value in attributes:
            if name.startswith("on") or (value or "").strip().lower().startswith("javascript:"):
                self.bad.append(name)
            if name in ("href", "src", "xlink:href", "action") and not (value or "").startswith(
                "#"
            ):
                self.bad.append(f"{name}={value}")
            if name == "href":
                self.anchors.append(value.removeprefix("#"))
            if name == "id":
                self.ids.append(value)

    def handle_data(self, data):
        self.text.append(data)


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'</pre></code>{{ 7*7 }}\u202e"


def evil_class(course) -> None:
    """Students whose ids, code, messages and reasons are markup."""
    code = f"def square(x):\n    # {EVIL.strip()}\n    return '''{EVIL}'''\n"
    bad = wrong(2, "doubled", message=f"not right yet.\n\n  got {EVIL}")
    make(
        course,
        mini.LAB,
        [
            made("<b onclick=alert(1)>x", bad, code={"square": code}),
            made("<svg onload=alert(1)>", bad, code={"square": code}),
            made("<img src=x onerror=alert(1)>", by_hand={"why_positive": None}),
            made("rtl\u202eevil", wrong(2), wrong(3), status="refused", reason=f"x {EVIL}"),
            Made("<i>crash", status="error", reason=f"InternalError: {EVIL}"),
        ],
    )


@pytest.mark.parametrize("anonymous", [False, True])
def test_no_text_of_a_student_is_markup(course, anonymous):
    evil_class(course)
    text = page(course, anonymous=anonymous)
    scan = Scan(text)
    assert scan.bad == []
    shown = "".join(scan.text)
    assert "{{ 7*7 }}" in shown and "<U+202E>" in shown and "\u202e" not in text
    assert set(scan.anchors) <= set(scan.ids)
    assert len(scan.ids) == len(set(scan.ids))
    assert "default-src 'none'" in text
    assert ("onclick=alert(1)>x" in shown) is not anonymous


def test_anonymous_pages_name_nobody(course):
    roster(course, "student,first_name,email\nann1,Annabel,annabel.ames@x.org\nlazy9,Larry,\n")
    code = "def square(x):\n    # by Annabel (ann1)\n    return 'annabel.ames@x.org', x\n"
    refused = "mini_lab.ipynb is missing; found bobs_own.ipynb: hand it in"
    make(
        course,
        mini.LAB,
        [
            made("ann1", wrong(2, "doubled"), wrong(3), code={"square": code}),
            made("cat3", wrong(2, "doubled"), wrong(3), code={"square": code}),
            made("bob2", status="refused", reason=refused, square=wrong(2), hypotenuse=wrong(3)),
            made("dan4", by_hand={"why_positive": None}),
            Made("eve5", status="error", reason="InternalError: eve5"),
        ],
    )
    full, anonymous = page(course).lower(), page(course, anonymous=True).lower()
    for name in ("ann1", "cat3", "bob2", "dan4", "eve5", "lazy9", "bobs_own"):
        assert name in full, name
        assert name not in anonymous, name
    for word in ("annabel", "larry", "x.org"):
        assert word not in anonymous
    assert "# by" not in anonymous and "the lab's notebook is missing" in anonymous.replace(
        "&#39;", "'"
    )
    assert "2 of 3" in anonymous  # what is left is what counts


def test_an_anonymous_report_writes_no_tables(course, capsys):
    make(course, mini.LAB, [made("ann")])
    assert cli.main(["report", mini.LAB, "--anonymous", "--course", str(course.root)]) == 0
    assert "ann" not in capsys.readouterr().out.replace(str(course.root), "")
    assert [path.name for path in (course.reports / mini.LAB).iterdir()] == ["report.html"]


def test_the_page_says_what_to_talk_about(course):
    make(
        course,
        mini.LAB,
        [made(f"s{i}", wrong(2, "doubled"), wrong(3, "forgot_root")) for i in range(3)]
        + [made(f"t{i}", wrong(2, "doubled")) for i in range(2)]
        + [made(f"u{i}", hypotenuse=wrong(3, "not_written")) for i in range(5)],
    )
    data = load(course)
    codes = reportpage.read_codes(course, load_lab(course, mini.LAB), data)
    found = reportpage.contents(data, codes, now=NOW)["lecture"]
    assert [(point["text"], point["detail"]) for point in found] == [
        ("doubled", "5 of 10 (50 %) in square"),
        ("forgot_root", "3 of 10 (30 %) in hypotenuse"),
        ("hypotenuse is the exercise that the fewest got right.", "2 of 10 (20 %) have all points"),
        ("hypotenuse was left unwritten the most often.", "5 of 10 (50 %)"),
    ]


@pytest.mark.parametrize("kind", ["nobody", "one", "perfect"])
def test_small_classes(course, kind):
    if kind == "nobody":
        refused = made("zip", wrong(2, None), wrong(3, None), status="refused", reason="x is empty")
        make(course, mini.LAB, [refused, Made("crash", status="error", reason="E: x")])
    elif kind == "one":
        make(course, mini.LAB, [made("ann", wrong(2, "doubled"))])
    else:
        make(course, mini.LAB, [made(f"s{i}") for i in range(12)])
    text = page(course)
    assert Scan(text).bad == [] and "nan" not in text.lower()
    if kind == "nobody":
        assert "No submission has marks." in text
    if kind == "one":
        assert "too few (under 10)" in text
    if kind == "perfect":
        assert "everyone has all points" in text and "all the same" in text


def test_titles_come_from_the_judges_catalogue():
    data = ClassData("lab5_ppo", {"approx_kl": 4.0}, {}, ())
    assert "old over new" in reportpage.title(data, "approx_kl", "direction")
    assert reportpage.title(data, "approx_kl", "returns_nothing") == "It returns nothing."
    assert reportpage.title(data, "approx_kl", "../../x") == "../../x."


def test_four_hundred_students_in_seconds(course):
    due(course)
    rng = np.random.default_rng(0)
    everyone = []
    for i in range(400):
        n, k = rng.integers(0, 40, size=2)
        body = "".join(f"    x = x + {n % 7}.{j}\n" for j in range(80))
        code = {
            "square": f"def square(x):\n{body}    return x ** {k % 5}",
            "hypotenuse": f"def hypotenuse(a, b):\n    return a + {k}",
        }
        everyone.append(
            made(
                f"s{i:03}",
                wrong(2, f"mistake_{n % 9}") if n % 2 else right(2),
                wrong(3, f"other_{k}", score=float(k % 3)),
                code=code,
                seconds=float(rng.random()),
                received=DUE - timedelta(hours=float(rng.normal(10, 10))),
            )
        )
    make(course, mini.LAB, everyone)
    started = time.process_time()
    _, paths = report.write_report(course, mini.LAB)
    assert time.process_time() - started < 10
    assert paths[0].stat().st_size < 2_000_000
    assert len(read_csv(course, "exercises.csv")) == 1200
