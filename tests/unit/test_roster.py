"""The roster and the table of times: read whichever program wrote them, wrong lines by number."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import mini
import pytest

from autograde import roster, times
from autograde.course import Course
from autograde.errors import CourseError
from autograde.roster import Identity

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("course")
    (root / "solutions").mkdir()
    (root / "solutions" / "mini_lab.py").write_text("")
    (root / "autograde").mkdir()
    return Course(root)


def read(course, text: str | bytes) -> roster.Roster:
    path = course.root / "autograde" / "roster.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    roster._load.cache_clear()
    return roster.load(course)


PLAIN = "student,last_name,due_mini_lab\nann,Müller,2026-05-31T23:59+02:00\n"
WRITTEN = {
    "commas": PLAIN.encode(),
    "a mark": PLAIN.encode("utf-8-sig"),
    "UTF-16": PLAIN.encode("utf-16"),
    "Windows": PLAIN.encode("cp1252"),
    "semicolons": PLAIN.replace(",", ";").encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "Excel's separator": b"sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n").encode(),
    "quotes, blanks, capitals": '"Student" , "Last name","Due-Mini_Lab",\n'
    'ann, "Müller" ,2026-05-31T23:59+02:00,\n,,,\n'.encode(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_roster_is_read_whichever_program_wrote_it(how, course):
    people = read(course, WRITTEN[how])
    assert people.get("ann").last_name == "Müller"
    assert people.due("ann", "mini_lab") == datetime(2026, 5, 31, 21, 59)
    assert people.due("bob", "mini_lab") is None


WRONG = {
    "no column student": ("name\nann\n", "must name the column student; found name"),
    "empty": ("", "is empty"),
    "twice": ("student\nann\nbob\n\nANN\n", "line 5: student 'ANN' is that of line 2"),
    "lms_id twice": ("student,lms_id\na,7\nb,7\n", "line 3: lms_id '7' is that of line 2"),
    "no id": ("student,email\nann,\n,b@x.org\n", "line 3: no student"),
    "an id of blanks": ("student\nann\n*\n", "line 3: student '*' has one of the characters"),
    "a path": ("student\n../ann\n", "line 2: student '../ann' begins with a dot"),
    "bad date": ("student,due_mini_lab\nann,31.05.2026\n", "line 2: due_mini_lab: '31.05.2026'"),
    "unknown lab": ("student,due_mini_lap\n", "did you mean due_mini_lab?"),
    "a number Excel has rounded": ("student\n1.23E+11\n", "a spreadsheet has rounded"),
    "too many cells": ("student,name\nann,Lee, Ann\n", "line 2 has 3 cells"),
    "a column twice": ("student,student\n", "the column student twice"),
    "a workbook": (b"PK\3\4" + b"\0" * 50, "save it as CSV UTF-8"),
    "no text": (b"\0\1\2" * 50, "not a text file"),
    "an open quote": ('student\n"ann\nbob\n', "line 2: student 'ann"),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_roster_is_one_line_that_says_where(how, course):
    text, expected = WRONG[how]
    with pytest.raises(CourseError) as caught:
        read(course, text)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("autograde/roster.csv") and "\n" not in str(caught.value)


def test_many_problems_are_counted_not_listed(course):
    lines = "".join(f"{n},x\n" for n in range(50))
    with pytest.raises(CourseError, match="and 44 more"):
        read(course, "student,email\n" + lines)


CLASS = """student,lms_id,login,email,first_name,last_name,full_name,lms_id_mini_lab
ann,1,al7,ann@uni.org,Ann,Lee,,
bob,2,,bob@uni.org,Bob,O'Dow,,
kim1,3,,,,,Kim Park,
kim2,4,,,,,Kim Park,901
zoe,5,,,Zoë-Marie,de la Cruz,,
"""

MATCHES = [
    (Identity("canvas", "1", "anything"), "ann", True),
    (Identity("canvas", "99", "odowbob"), "bob", False),
    (Identity("canvas", "99", "delacruzzoëmarie"), "zoe", False),
    (Identity("canvas", "1", "x", other_id="77"), "ann", True),
    (Identity("canvas", "1", "x", other_id="2"), None, None),
    (Identity("canvas", "1", "leeann", other_id="2"), "ann", True),
    (Identity("moodle", "99", "Ann Lee"), "ann", False),
    (Identity("moodle", "2", "Ann Lee"), "ann", False),
    (Identity("moodle", "99", "Lee Ann"), "ann", False),
    (Identity("moodle", "99", "Bob ODow"), "bob", False),
    (Identity("moodle", "99", "ZOË\u200bMARIE  de la Cruz"), "zoe", False),
    (Identity("moodle", "1", "Somebody Else"), None, None),
    (Identity("moodle", "99", "Kim Park"), None, None),
    (Identity("moodle", "901", "Kim Park"), "kim2", True),
    (Identity("moodle", "3", "Kim Park"), "kim1", False),
    (Identity("moodle", "99", "Participant", email="BOB@uni.org"), "bob", True),
    (Identity("moodle", "99", "x", login="al7"), "ann", True),
    (Identity("moodle", "99", "x", number="bob"), "bob", True),
    (Identity("folder", "ANN"), "ann", True),
    (Identity("folder", "ann@uni.org"), "ann", True),
    (Identity("folder", "Lee, Ann"), "ann", False),
    (Identity("exchange", "al7"), "ann", True),
    (Identity("exchange", "Ann Lee"), None, None),
    (Identity("exchange", "al7", doubt="belongs to eve"), None, None),
    (Identity("hand", "x", student="x"), "x", True),
]


@pytest.mark.parametrize("who, student, certain", MATCHES)
def test_whose_work_it_is(who, student, certain, course):
    found = read(course, CLASS).match(who, "mini_lab")
    assert found.student == student
    if student is None:
        assert found.problem
    else:
        assert found.certain == certain


def test_without_a_roster_the_id_is_the_student(course):
    nobody = roster.NoRoster()
    assert nobody.match(Identity("canvas", "12", "x"), "mini_lab").student == "12"
    assert nobody.match(Identity("folder", "Zoe\u0308"), "mini_lab").student == "Zo\u00eb"
    for who in (
        Identity("folder", "a*"),
        Identity("folder", ".x"),
        Identity("folder", "../x"),
        Identity("canvas", "1", other_id="2"),
        Identity("exchange", "x", doubt="no"),
    ):
        assert nobody.match(who, "mini_lab").student is None
    (course.root / "autograde" / "roster.csv").unlink(missing_ok=True)
    assert roster.load(course) is None


def test_a_personal_due_date_goes_before_the_labs(course):
    (course.root / "autograde" / "duedates.csv").write_text("lab,due\nmini_lab,2026-05-01T00:00\n")
    read(course, "student,due_mini_lab\nann,2026-06-01T00:00\nbob,\n")
    assert course.due("mini_lab", "ann") == datetime(2026, 6, 1)
    assert course.due("mini_lab", "bob") == course.due("mini_lab") == datetime(2026, 5, 1)
    # An edited roster is read again.
    path = course.root / "autograde" / "roster.csv"
    path.write_text("student,due_mini_lab\nann,2026-06-02 00:00\nbob,\ncy,\n")
    assert course.due("mini_lab", "ann") == datetime(2026, 6, 2)


def test_due_dates_may_come_from_a_spreadsheet_and_need_a_time_of_day(course):
    path = course.root / "autograde" / "duedates.csv"
    path.write_bytes("\ufeffLab;Due\r\nmini_lab;2026-05-01T20:00Z\r\n".encode("utf-8"))
    assert course.due("mini_lab") == datetime(2026, 5, 1, 20)
    # A day alone would end at its beginning, and all who hand in on that day would be late.
    path.write_text("lab,due\nmini_lab,2026-05-01\n")
    with pytest.raises(CourseError, match=r"duedates\.csv: line 2: .*2026-05-01T23:59"):
        course.due("mini_lab")
    with pytest.raises(CourseError, match=r"line 2: due_mini_lab: .* no time of day"):
        read(course, "student,due_mini_lab\nann,2026-06-01\n")


def test_the_rosters_names_come_into_the_gradebook(tmp_path):
    from nbgrader.api import Gradebook

    course = Course(mini.make_course(tmp_path))
    people = read(course, CLASS)
    with Gradebook(course.db_url, "policy_gradients") as gradebook:
        gradebook.add_student("bob", first_name="Robert", email="old@x.org")
        gradebook.add_student("guest", first_name="Guest")
    assert roster.enter_names(course, people) > 0
    assert roster.enter_names(course, people) == 0
    with Gradebook(course.db_url, "policy_gradients") as gradebook:
        found = {s.id: (s.first_name, s.last_name, s.email) for s in gradebook.students}
    assert found["ann"] == ("Ann", "Lee", "ann@uni.org")
    assert found["bob"] == ("Bob", "O'Dow", "bob@uni.org")
    assert found["guest"][0] == "Guest" and len(found) == 6


# --- times -------------------------------------------------------------------------------------

TIMES = {
    "Sunday, 31 May 2026, 11:59 PM": datetime(2026, 5, 31, 21, 59),
    "31 May 2026, 12:05 AM": datetime(2026, 5, 30, 22, 5),
    "2026-05-31 23:59": datetime(2026, 5, 31, 21, 59),
    "2026-05-31T23:59:10Z": datetime(2026, 5, 31, 23, 59, 10),
    "2026-05-31 23:59:10.5 UTC": datetime(2026, 5, 31, 23, 59, 10, 500000),
    "2026-05-31T23:59-0500": datetime(2026, 6, 1, 4, 59),
    "2026-05-31 23:59:00 -0500": datetime(2026, 6, 1, 4, 59),
    "Sunday, 25 October 2026, 2:30 AM": datetime(2026, 10, 25, 0, 30),  # it came twice
    "-": None,
    "": None,
}


@pytest.mark.parametrize("text", TIMES)
def test_a_time_is_read_in_its_zone_and_kept_in_utc(text):
    assert times.read_time(text, BERLIN) == TIMES[text]


@pytest.mark.parametrize("text", ["05/06/2026 10:00", "Sonntag, 31. Mai 2026, 23:59", "tomorrow",
                                  "2026-13-01 10:00", "31 May", "May 99 10:00", "1780000000",
                                  "0001-01-01 00:00"])  # fmt: skip
def test_a_time_that_could_be_another_is_not_read(text):
    with pytest.raises(ValueError):
        times.read_time(text, BERLIN)


WORKSHEET = """Identifier,"Full name","Email address",Status,Grade,"Last modified (submission)"
Participant 101,"Ann Lee",ann@uni.org,Submitted,,"Sunday, 31 May 2026, 11:58 PM"
Participant 102,"Kim Park",kim2@uni.org,Submitted,,"Monday, 1 June 2026, 12:30 AM"
Participant 103,"Kim Park",kim1@uni.org,"No submission",,-
"""


def table(tmp_path, text):
    path = tmp_path / "times.csv"
    path.write_text(text)
    return times.load(path, BERLIN)


def test_moodles_worksheet_tells_when_and_who(tmp_path):
    found = table(tmp_path, WORKSHEET)
    kim = Identity("moodle", "102", "Kim Park")
    assert found.evidence(kim).email == "kim2@uni.org"
    assert found.find(kim).received == datetime(2026, 5, 31, 22, 30)
    assert found.find(Identity("moodle", "103", "Kim Park")).received is None
    assert found.find(Identity("moodle", "999", "Kim Park")) is None
    assert found.find(Identity("folder", "x", "Ann Lee")).who.id == "101"


def test_a_table_by_hand_goes_by_student(tmp_path):
    found = table(tmp_path, "student;received\nann;2026-05-31T12:00Z\n")
    assert found.find(Identity("canvas", "7"), "ann").received == datetime(2026, 5, 31, 12)
    assert found.find(Identity("canvas", "7"), "bob") is None


@pytest.mark.parametrize("text, expected", [
    ("a,b\n", "must have a column received"),
    ("received\n2026-05-31\n", "must have a column received"),
    ("student,received\nann,2026-05-31 10:00\nbob,31.5.26\n", "line 3: '31.5.26'"),
])  # fmt: skip
def test_a_wrong_table_is_one_line_that_says_where(text, expected, tmp_path):
    with pytest.raises(CourseError, match=expected):
        table(tmp_path, text)


def test_zones_have_names():
    assert times.read_zone("Europe/Berlin").utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)
    assert times.read_zone("UTC").utcoffset(datetime(2026, 7, 1)) == timedelta(0)
    assert times.read_zone(None) is not None
    for name in ("Berlin/Europe", "", "/etc/passwd"):
        with pytest.raises(CourseError, match="--timezone"):
            times.read_zone(name)
    assert times.to_utc(datetime(2026, 1, 1, tzinfo=timezone.utc), BERLIN) == datetime(2026, 1, 1)
