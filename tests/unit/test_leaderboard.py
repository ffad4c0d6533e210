"""The leaderboard's page and lines, from entries made by hand."""

from __future__ import annotations

import re

import pytest

from autograde import leaderboard
from autograde.course import Course
from autograde.leaderboard import Entry

PLAYED = {"low": 190.0, "high": 260.0, "episodes": 50, "accepted": True, "env_steps": 1000,
          "parameters": 40, "env_id": "LunarLander-v3", "best": 270.0, "seed": 3}  # fmt: skip


def entry(student: str, name: str, mean: float, actions: str = "0123") -> Entry:
    return Entry(student, name, mean, actions=actions, **PLAYED)


ENTRIES = [
    entry("ann", "blue-owl-001", 250.0),
    entry("bob", "blue-owl-001", 250.0),
    entry("cy", "red-fox-002", 250.0),  # the same weights, in a file with other steps
    entry("di", "red-fox-002", 240.0, "3210"),
]


@pytest.fixture
def played(monkeypatch):
    """Which agents' episodes are filmed."""
    found = []

    def film(entry):
        found.append(entry.student)
        return b""

    monkeypatch.setattr(leaderboard, "film", film)
    return found


def test_copies_share_rank_and_video_and_the_next_one_keeps_its_place(tmp_path, played):
    html = leaderboard.render(Course(tmp_path), "lab", ENTRIES, [], videos=2)
    assert played == ["ann", "di"]
    assert re.findall(r'<td class="n">(\d)</td>', html) == ["1", "1", "1", "4"]
    links = re.findall(r'href="#(film-\d)">([a-z0-9-]+)', html)
    assert [anchor for anchor, _ in links] == ["film-0", "film-0", "film-0", "film-1"]
    assert re.findall(r'<figure id="(film-\d)">', html) == ["film-0", "film-1"]
    assert re.findall(r"<b>(\d)\. ([a-z0-9-]+)</b>", html) == [
        ("1", "blue-owl-001"), ("4", "red-fox-002")
    ]  # fmt: skip


def test_the_instructor_is_told_who_handed_in_the_same_agent():
    assert leaderboard.alike(ENTRIES) == [["ann", "bob", "cy"]]
    assert leaderboard.alike(ENTRIES[2:]) == []


def test_of_more_agents_than_videos_the_best_are_shown(tmp_path, played):
    html = leaderboard.render(Course(tmp_path), "lab", ENTRIES, [], videos=1)
    assert played == ["ann"] and html.count("<figure") == 1 and html.count("#film-0") == 3
