"""What a class's results say: pure functions from ClassData to the numbers of the report."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from autograde.classdata import ClassData, Result
from autograde.similar import Form, Group, groups

# Below this many students a correlation says more about chance than about the exercise.
FEW = 10
# Nothing was there to be wrong: no misconception to speak about in a lecture.
NO_IDEA = ("not_written", "not_defined", "no_answer", "does_not_return", "no_policy")
TOP = 3


@dataclass(frozen=True)
class Totals:
    """Points of the graded students. of: the maximum; only_automatic: without the answers that a
    person grades, because some of those are still open."""

    values: tuple[float, ...]
    of: float
    only_automatic: bool

    def quantile(self, q: float) -> float:
        return float(np.quantile(self.values, q)) if self.values else math.nan

    @property
    def mean(self) -> float:
        return float(np.mean(self.values)) if self.values else math.nan


@dataclass(frozen=True)
class ExerciseStats:
    """One exercise over the graded students.

    n: with a mark; passed: with all points; mean: of the points; not_written: left as the stub;
    inherited: wrong because of an earlier exercise (see `inherited`); unnamed: wrong in a way that
    neither that nor a known mistake explains. discrimination: Pearson correlation of its points
    with the sum of the other exercises' (the corrected item-total correlation; for right or
    wrong, the point-biserial); None with the reason in `no_discrimination`.
    """

    name: str
    max: float
    n: int
    passed: int
    mean: float
    not_written: int
    inherited: int
    unnamed: int
    discrimination: float | None
    no_discrimination: str = ""

    @property
    def pass_rate(self) -> float:
        return self.passed / self.n if self.n else math.nan

    @property
    def difficulty(self) -> float:
        """Mean share of the points; the easier the exercise, the higher."""
        return self.mean / self.max if self.n and self.max else math.nan


@dataclass(frozen=True)
class Misconception:
    """A named mistake in one exercise, and who made it."""

    exercise: str
    mistake: str
    students: tuple[str, ...]
    of: int

    @property
    def share(self) -> float:
        return len(self.students) / self.of if self.of else 0.0


@dataclass(frozen=True)
class AspectTable:
    """Failed aspects. names: of the aspects that anyone failed, "value" first, then the most
    failed; never: of the others; failed: {exercise: {aspect: students}}. A wrong value takes every
    other aspect with it, so the others are counted only where the value was right. n: students
    with aspects, by exercise."""

    names: tuple[str, ...]
    never: tuple[str, ...]
    failed: dict[str, dict[str, int]]
    n: dict[str, int]

    @property
    def totals(self) -> list[tuple[str, int]]:
        """Over all exercises, without the value, the most frequent first."""
        sums = Counter[str]()
        for counts in self.failed.values():
            sums.update(counts)
        return [(name, n) for name, n in sums.most_common() if name != "value" and n]


@dataclass(frozen=True)
class Disagreement:
    """Where a visible check and the hidden test differ.

    lenient: who passed the check and lost points; strict: who failed it and has all points.
    reported: how many checks said anything. lost: aspects that cost the lenient ones points.
    """

    exercise: str
    lenient: tuple[str, ...]
    strict: tuple[str, ...]
    reported: int
    lost: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class AnswerGroup:
    """Near-identical wrong answers to one exercise, of `wrong` wrong ones that were written."""

    exercise: str
    group: Group
    wrong: int
    mistakes: tuple[tuple[str, int], ...]

    @property
    def bits(self) -> float:
        """How unusual it is to be in this group rather than elsewhere: 0 if everyone is."""
        return math.log2(max(self.wrong - 1, 1) / (len(self.group.members) - 1))


@dataclass(frozen=True)
class Together:
    """Students who are in the same groups in several exercises."""

    students: tuple[str, ...]
    groups: tuple[AnswerGroup, ...]


def totals(data: ClassData) -> Totals:
    """Everyone's points on one scale: with the answers graded by hand once all of them are."""
    graded = data.graded
    only_automatic = any(student.open for student in graded) and bool(data.manual)
    if only_automatic:
        return Totals(
            tuple(student.automatic for student in graded), sum(data.exercises.values()), True
        )
    return Totals(tuple(s.score for s in graded if s.score is not None), data.max, False)


def exercise_stats(
    data: ClassData, inherited: Mapping[str, Set[str]] | None = None
) -> list[ExerciseStats]:
    """Every exercise in the lab's order. inherited: {exercise: students}, from `inherited`."""
    inherited = inherited or {}
    names = list(data.exercises)
    # Students with a mark for every exercise: one without cannot be ranked against the others.
    full = [s for s in data.graded if all(s.results[n].score is not None for n in names)]
    scores = np.array([[s.results[n].score for n in names] for s in full], dtype=float)
    scores = scores.reshape(len(full), len(names))
    stats = []
    for column, name in enumerate(names):
        results = [s.results[name] for s in data.graded]
        marked = [r for r in results if r.score is not None]
        value, reason = _discrimination(scores, column)
        stats.append(
            ExerciseStats(
                name=name,
                max=data.exercises[name],
                n=len(marked),
                passed=sum(r.score >= r.max - 1e-9 for r in marked),
                mean=float(np.mean([r.score for r in marked])) if marked else math.nan,
                not_written=sum(r.mistake == "not_written" for r in results),
                inherited=len(inherited.get(name, ())),
                unnamed=sum(
                    s.results[name].wrong
                    and s.results[name].mistake is None
                    and s.id not in inherited.get(name, ())
                    for s in data.graded
                ),
                discrimination=value,
                no_discrimination=reason,
            )
        )
    return stats


def _discrimination(scores: np.ndarray, column: int) -> tuple[float | None, str]:
    if len(scores) < FEW:
        return None, f"too few (under {FEW})"
    if scores.shape[1] < 2:
        return None, "the only exercise"
    own, rest = scores[:, column], scores.sum(axis=1) - scores[:, column]
    if np.ptp(own) < 1e-9:
        return None, "all the same"
    if np.ptp(rest) < 1e-9:
        return None, "the rest all the same"
    return float(np.corrcoef(own, rest)[0, 1]), ""


def misconceptions(
    data: ClassData, inherited: Mapping[str, Set[str]] | None = None
) -> list[Misconception]:
    """Named mistakes, the most frequent first; those that say nothing of an idea left out."""
    return [m for m in named_mistakes(data, inherited) if m.mistake not in NO_IDEA]


def named_mistakes(
    data: ClassData, inherited: Mapping[str, Set[str]] | None = None
) -> list[Misconception]:
    """All named mistakes, the most frequent first, then the one that cost the most points.

    inherited: {exercise: students} whose mistake lies elsewhere, from `inherited`; left out.
    """
    graded = data.graded
    made: dict[tuple[str, str], list[str]] = defaultdict(list)
    cost: Counter[tuple[str, str]] = Counter()
    for student in graded:
        for name, result in student.results.items():
            elsewhere = student.id in (inherited or {}).get(name, ())
            if result.wrong and result.mistake and not elsewhere:
                made[name, result.mistake].append(student.id)
                cost[name, result.mistake] += result.max - (result.auto or 0.0)
    order = {name: number for number, name in enumerate(data.exercises)}
    found = [
        Misconception(exercise, mistake, tuple(sorted(students)), len(graded))
        for (exercise, mistake), students in made.items()
    ]

    def rank(m: Misconception):
        return -len(m.students), -cost[m.exercise, m.mistake], order[m.exercise], m.mistake

    return sorted(found, key=rank)


def aspect_table(data: ClassData) -> AspectTable:
    """How often each aspect of each hidden test failed; see AspectTable."""
    failed: dict[str, dict[str, int]] = {}
    n: Counter[str] = Counter()
    for _, name, result in _results(data):
        if not result.aspects:
            continue
        n[name] += 1
        row = failed.setdefault(name, {})
        lost = {str(a["name"]) for a in result.aspects if not a.get("passed")}
        for aspect in (str(a["name"]) for a in result.aspects):
            counts = aspect in lost and (aspect == "value" or "value" not in lost)
            row[aspect] = row.get(aspect, 0) + counts
    sums = Counter[str]()
    for row in failed.values():
        sums.update(row)
    names = sorted(sums, key=lambda aspect: (aspect != "value", -sums[aspect], aspect))
    return AspectTable(
        names=tuple(name for name in names if sums[name]),
        never=tuple(name for name in names if not sums[name]),
        failed={name: failed[name] for name in data.exercises if name in failed},
        n=dict(n),
    )


def disagreements(data: ClassData) -> list[Disagreement]:
    """Exercises in which a visible check's word and the hidden test's points differ."""
    lenient: dict[str, list[str]] = defaultdict(list)
    strict: dict[str, list[str]] = defaultdict(list)
    lost: dict[str, Counter[str]] = defaultdict(Counter)
    reported: Counter[str] = Counter()
    for student, name, result in _results(data):
        if not isinstance(result.visible_pass, bool) or result.auto is None:
            continue
        reported[name] += 1
        if result.visible_pass and result.wrong:
            lenient[name].append(student)
            lost[name].update(str(a["name"]) for a in result.aspects if not a.get("passed"))
        elif not result.visible_pass and not result.wrong:
            strict[name].append(student)
    return [
        Disagreement(
            exercise=name,
            lenient=tuple(lenient[name]),
            strict=tuple(strict[name]),
            reported=reported[name],
            lost=tuple(lost[name].most_common()),
        )
        for name in data.exercises
        if lenient[name] or strict[name]
    ]


def _results(data: ClassData) -> Iterable[tuple[str, str, Result]]:
    for student in data.graded:
        for name, result in student.results.items():
            yield student.id, name, result


def written_answers(data: ClassData) -> dict[str, set[str]]:
    """For each graded student, the exercises that were written, as far as the tests can tell."""
    return {
        student.id: {n for n, result in student.results.items() if result.mistake != "not_written"}
        for student in data.graded
    }


def inherited(
    data: ClassData, forms: Mapping[str, Mapping[str, Form]]
) -> dict[str, frozenset[str]]:
    """Who lost points in an exercise for a reason outside of it: {exercise: students}.

    A test runs in the student's own notebook, so a right answer fails if it calls an earlier one
    that is wrong. Counted are answers whose very code earned somebody else all points, and those
    without a recognized mistake of their own that name another exercise which their author got
    wrong. forms: of all written answers, {exercise: {student: normal form}}.
    """
    found = {}
    by_id = {student.id: student for student in data.graded}
    for name, by_student in forms.items():
        right = {
            form for student, form in by_student.items() if by_id[student].results[name].passed
        }
        students = set()
        for student, form in by_student.items():
            results = by_id[student].results
            mistake = results[name].mistake
            # Parameters have other names in the normal form, and those a caller may depend on.
            if not results[name].wrong or mistake == "signature":
                continue
            others = {n for n, result in results.items() if n != name and result.wrong}
            calls = mistake in (None, *NO_IDEA) and not others.isdisjoint(form.tokens)
            if form in right or calls:
                students.add(student)
        found[name] = frozenset(students)
    return found


def answer_groups(data: ClassData, forms: Mapping[str, Mapping[str, Form]]) -> list[AnswerGroup]:
    """Groups of near-identical wrong answers, the longest answers first.

    forms: {exercise: {student: normal form of the wrong answer}}.
    """
    by_id = {student.id: student for student in data.students}
    found = []
    for name in data.exercises:
        for group in groups(forms.get(name, {})):
            mistakes = Counter(by_id[m].results[name].mistake or "" for m in group.members)
            found.append(AnswerGroup(name, group, len(forms[name]), tuple(mistakes.most_common())))
    return sorted(found, key=lambda g: (-g.group.tokens, -len(g.group.members)))


def together(found: Sequence[AnswerGroup]) -> list[Together]:
    """Students who share groups in at least two exercises, the most unusual combination first."""
    where: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(found):
        for member in group.group.members:
            where[member].append(number)
    names = sorted(where)
    shared: set[frozenset[int]] = set()
    for i, one in enumerate(names):
        own = frozenset(where[one])
        if len(own) > 1:
            shared |= {own.intersection(where[other]) for other in names[i + 1 :]}
    result = []
    for numbers in (s for s in shared if len(s) > 1):
        chosen = tuple(found[number] for number in sorted(numbers))
        students = set.intersection(*(set(g.group.members) for g in chosen))
        result.append(Together(tuple(sorted(students)), chosen))
    return sorted(result, key=lambda t: (-sum(g.bits for g in t.groups), t.students))


def hours_before_due(data: ClassData) -> list[float]:
    """Hours from each hand-in to its author's due date, negative when late."""
    return [
        (student.due - student.received).total_seconds() / 3600
        for student in data.students
        if student.received is not None and student.due is not None
    ]


def kernel_seconds(data: ClassData) -> list[float]:
    """Wall seconds of the kernel of each graded submission whose row says."""
    return [student.seconds for student in data.graded if student.seconds > 0]


def hardest(stats: Sequence[ExerciseStats]) -> ExerciseStats | None:
    """The exercise that the fewest passed, if anyone failed it."""
    tried = [s for s in stats if s.n and s.passed < s.n]
    return min(tried, key=lambda s: s.pass_rate) if tried else None
