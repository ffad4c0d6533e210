"""`python -m autograde leaderboard LAB`: the agents that a class has handed in, as a page.

Everything on it was measured when the class was graded and is kept with the marks; only the videos
are made here, by playing the recorded actions of each agent's best episode once more. No file of a
student's is opened. Agents have names that follow from their files (course_utils.policy_files), so
everybody finds their own and nobody else's.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from autograde import pages
from autograde.cli import COURSE_OPTION
from autograde.course import Course
from autograde.errors import CourseError, check_writable
from autograde.excerpts import visible
from autograde.pipeline import Lab, Test, load_lab

VIDEOS = 12


@dataclass(frozen=True)
class Entry:
    """An agent that has played. low, high: 95 % interval of the mean return.

    env_steps: of its training, as its author says, or None. best, seed, actions: its best episode.
    """

    student: str
    name: str
    mean: float
    low: float
    high: float
    episodes: int
    accepted: bool
    env_steps: int | None
    parameters: int
    env_id: str
    best: float
    seed: int
    actions: str

    @property
    def agent(self) -> tuple:
        """Equal for agents that play alike: copies, and those trained alike from one seed."""
        return self.mean, self.seed, self.actions


@click.command("leaderboard")
@click.argument("lab")
@click.option(
    "--output", metavar="FILE", help="The page (default: autograde/reports/LAB/leaderboard.html)."
)
@click.option("--names", is_flag=True, help="With the students' ids: not a page to show around.")
@click.option(
    "--videos", type=click.IntRange(0, 100), default=VIDEOS, show_default=True, metavar="N",
    help="Show the best episodes of so many agents.",
)  # fmt: skip
@COURSE_OPTION
def leaderboard_command(
    lab: str, output: str | None, names: bool, videos: int, course_dir: str | None
) -> None:
    """Rank the agents that were handed in for LAB: one HTML page, which needs no network.

    It shows what grading has measured: mean return with its interval, episodes, whether the agent
    was accepted, the steps of its training as its author states them, and a video of its best
    episode. Agents go by names that follow from their files, and that save_policy has told their
    authors; --names adds the ids.
    """
    course = Course.open(course_dir)
    course.check_lab(lab)
    target = Path(output) if output else course.reports / lab / "leaderboard.html"
    if output:
        check_writable(target, "--output")
    entries, without = read(course, load_lab(course, lab))
    page = render(course, lab, entries, without, names=names, videos=videos)
    write(target, page, private=output is None)
    shown = os.path.relpath(target) if target.resolve().is_relative_to(Path.cwd()) else target
    click.echo(f"{shown}")
    accepted = sum(entry.accepted for entry in entries)
    click.echo(
        f"{lab}: {len(entries)} agents, {accepted} accepted; best: {entries[0].name}, mean return "
        f"{entries[0].mean:.1f}; {len(without)} handed in none that could be played"
    )
    for students in alike(entries):
        click.echo(
            f"agents that play alike: {', '.join(map(visible, students))} (one file, or the same "
            "training with the same seed)"
        )


def alike(entries: list[Entry]) -> list[list[str]]:
    """Students whose agents cannot be told apart by what they played, where there are several."""
    students: dict[tuple, list[str]] = {}
    for entry in entries:
        students.setdefault(entry.agent, []).append(entry.student)
    return [who for who in students.values() if len(who) > 1]


def write(target: Path, page: str, private: bool) -> None:
    """Write the page, whole or not at all. CourseError if it cannot be."""
    from autograde.build import write_atomically

    try:
        if private:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.parent.chmod(0o700)  # marks and names lie there
        write_atomically(target.resolve(), page.encode())
    except OSError as error:
        raise CourseError(f"cannot write {target}: {error.strerror}", status=1) from None


def agent_test(course: Course, lab: Lab) -> Test:
    """The test of the lab that plays an agent. CourseError if it has none."""
    for test in lab.tests:
        if test.file is not None:
            return test
    others = [name for name in course.labs() if name != lab.name and _asks_for_one(course, name)]
    listed = f"; {', '.join(others)} does" if others else ""
    raise CourseError(f"{lab.name} does not ask for an agent{listed}")


def _asks_for_one(course: Course, name: str) -> bool:
    try:
        return any(test.file for test in load_lab(course, name).tests)
    except (CourseError, ValueError, KeyError):
        return False


def read(course: Course, lab: Lab) -> tuple[list[Entry], list[tuple[str, str]]]:
    """The agents of a graded class, best first, and (student, reason) of those without one.

    CourseError if nothing has been graded yet, or no agent could be played.
    """
    from autograde.classdata import read_rows

    test = agent_test(course, lab)
    rows, _ = read_rows(course, lab.name)
    if not rows:
        raise CourseError(
            f"nothing of {lab.name} has been graded yet; run: python -m autograde grade {lab.name}"
        )
    entries, without = [], []
    for student, row in sorted(rows.items()):
        result = row.exercises.get(test.name) or {}
        entry = _entry(student, result.get("details"))
        if entry is None:
            without.append((student, _reason(result, row.reason)))
        else:
            entries.append(entry)
    if not entries:
        raise CourseError(
            f"{len(rows)} submissions of {lab.name} are graded, but none has an agent that could "
            f"be played (they hand in {test.file} beside the notebook)",
            status=1,
        )
    entries.sort(key=lambda e: (-e.mean, e.env_steps is None, e.env_steps or 0, e.name))
    return entries, without


def _entry(student: str, details: object) -> Entry | None:
    try:
        names = [name for name in Entry.__dataclass_fields__ if name != "student"]
        return Entry(student, **{name: details[name] for name in names})  # type: ignore[index]
    except (KeyError, TypeError):
        return None


def _reason(result: dict, refused: str | None) -> str:
    lines = [line.strip() for line in str(result.get("message") or "").splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 else refused or "not graded"


# --- the page ----------------------------------------------------------------------------------


def render(
    course: Course,
    lab: str,
    entries: list[Entry],
    without: list[tuple[str, str]],
    *,
    names: bool = False,
    videos: int = VIDEOS,
    now: datetime | None = None,
) -> str:
    """The page as HTML. Every value in it is a number, a name that we made, or escaped."""
    from course_utils import acceptance

    # Far below, by how much makes no difference to anybody.
    low = max(min([*(entry.low for entry in entries), 0.0]), -100.0)
    high = max([*(entry.high for entry in entries), acceptance.LEVEL + 60.0])

    def place(value: float) -> float:
        return round(100 * (max(value, low) - low) / (high - low), 2)

    now = now or datetime.now().astimezone()
    # Agents that play alike share a video.
    shown = list({entry.agent: entry for entry in reversed(entries)}.values())[::-1][:videos]
    values = {
        "lab": lab,
        "now": now.strftime("%Y-%m-%d %H:%M %Z").strip(),
        "entries": entries,
        "ranks": [1 + sum(other.mean > entry.mean for other in entries) for entry in entries],
        "without": without,
        "names": names,
        "level": acceptance.LEVEL,
        "looks": acceptance.LOOKS,
        "films": films(course, lab, shown),
        "shown": shown,
        "agents": [entry.agent for entry in shown],
    }
    filters = {"shown": lambda text: visible(str(text)), "place": place}
    return pages.render("leaderboard.html", values, filters)


@dataclass(frozen=True)
class Film:
    """Video and still picture of an episode as data URIs; empty if it could not be repeated."""

    video: str = ""
    poster: str = ""


def films(course: Course, lab: str, entries: list[Entry]) -> dict[tuple, Film]:
    """The best episode of each agent, by `Entry.agent`. What was made before is on the disk."""
    from autograde.build import write_atomically

    folder = course.state / lab / "replays"
    found, used = {}, set()
    for entry in entries:
        key = f"{entry.env_id} {entry.seed} {entry.actions}"
        path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.mp4"
        used.add(path)
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, film(entry))
        found[entry.agent] = _as_uris(path.read_bytes())
    for path in folder.glob("*.mp4"):
        if path not in used:
            path.unlink(missing_ok=True)
    return found


def film(entry: Entry) -> bytes:
    """The entry's best episode, played again from its actions; empty if it comes out differently.

    The physics engine may compute a little differently on another machine than where it was graded.
    """
    from course_utils.replay import replay

    actions = iter(entry.actions)
    try:
        episode = replay(lambda obs: int(next(actions)), entry.env_id, entry.seed)
    except StopIteration:
        return b""
    if episode is None or abs(episode.episode_return - entry.best) > 0.01:
        return b""
    return episode.mp4


def _as_uris(mp4: bytes) -> Film:
    if not mp4:
        return Film()
    import imageio.v3
    from PIL import Image

    last = None
    for frame in imageio.v3.imiter(mp4, extension=".mp4", plugin="FFMPEG"):
        last = frame
    still = io.BytesIO()
    Image.fromarray(last).save(still, "JPEG", quality=80)

    def uri(kind: str, data: bytes) -> str:
        return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"

    return Film(uri("video/mp4", mp4), uri("image/jpeg", still.getvalue()))
