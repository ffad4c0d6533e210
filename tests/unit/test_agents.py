"""Files beside the notebook on their way to the judge, and what the judge makes of the answers."""

import json
import os
import zipfile

import mini
import numpy as np
import pytest
import torch
from torch import nn

from autograde import archives, build, hidden, intake, judge, pipeline
from autograde.collecting import collect
from autograde.course import Course
from autograde.judge import agents
from autograde.sandbox import agent_player
from course_utils import acceptance, policies, policy_files, progress

EXERCISE = "lab6_lunar_lander/lander_agent"
FILE = "agent.bin"
CELL = f"""
# %% hands_in="{FILE}" nbgrader={{"grade": true, "grade_id": "test_agent", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}}
print("looked at")
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("mini_lab/agent", "{FILE}")
### END HIDDEN TESTS
"""  # noqa: E501


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The miniature course, whose lab also asks for a file."""
    folder = mini.make_course(tmp_path_factory.mktemp("course"))
    path = folder / "solutions" / f"{mini.LAB}.py"
    path.write_text(path.read_text() + CELL)
    build.build(Course(folder), mini.LAB)
    return folder


@pytest.fixture
def course(base, tmp_path):
    import shutil

    return Course(shutil.copytree(base, tmp_path / "c"))


def taken(course, student="ann"):
    lab = pipeline.load_lab(course, mini.LAB)
    return intake.take_in(course, student, mini.LAB, lab.skeleton)


def beside(course, name=FILE, data=b"numbers", student="ann"):
    path = mini.hand_in(course.root, student, mini.solved(course.root)).parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if data is not None:
        path.write_bytes(data)
    return path


# --- intake --------------------------------------------------------------------------------------


def test_the_lab_says_which_file_it_wants(course):
    lab = pipeline.load_lab(course, mini.LAB)
    assert [(test.name, test.file) for test in lab.tests][-1] == ("agent", FILE)
    assert intake.declared_files(lab.skeleton) == {"test_agent": FILE}
    assert "hidden_test" not in json.dumps(lab.skeleton)


@pytest.mark.parametrize("name", ["../up.bin", "a/b.bin", ".hidden", "", 3])
def test_a_lab_that_wants_no_file_name_is_refused(course, name):
    path = course.solution_path(mini.LAB)
    path.write_text(path.read_text().replace(f'hands_in="{FILE}"', f"hands_in={json.dumps(name)}"))
    with pytest.raises(build.CourseError, match="hands_in is a file's name"):
        build.source_notebook(path)


def test_a_file_is_read_and_counts_for_the_digest(course):
    beside(course)
    first = taken(course)
    assert [(f.name, f.data, f.problem) for f in first.files] == [(FILE, b"numbers", "")]
    beside(course, data=b"other numbers")
    assert taken(course).digest != first.digest
    beside(course, "notes.txt", b"not asked for")
    assert [f.name for f in taken(course).files] == [FILE]


def test_without_the_file_the_rest_is_graded_and_the_reason_helps(course):
    mini.hand_in(course.root, "ann", mini.solved(course.root))
    submission = taken(course)
    assert submission.refusal is None and submission.cells
    assert submission.files[0].data is None
    assert submission.files[0].problem == (
        f"{FILE} was not handed in: write it with save_policy, hand it in beside the notebook"
    )


@pytest.mark.parametrize("name", ["agent (1).bin", "Agent.BIN", "deep/agent.bin"])
def test_a_file_under_another_name_is_taken_with_a_remark(course, name):
    beside(course, name)
    submission = taken(course)
    assert submission.files[0].data == b"numbers"
    assert any("was taken in its place" in note for note in submission.notes)


def test_of_two_files_none_is_chosen(course):
    beside(course, "one.bin")
    beside(course, "two.bin")
    assert "found one.bin, two.bin: hand in one" in taken(course).files[0].problem


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder", "device", "large", "none"])
def test_what_is_no_file_is_refused_and_nothing_else(course, kind, tmp_path):
    path = beside(course, data=None)
    if kind in ("link", "dangling", "device"):
        secret = tmp_path / "secret"
        if kind == "link":
            secret.write_bytes(b"somebody else's")
        path.symlink_to("/dev/zero" if kind == "device" else secret)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(intake.MAX_HANDED_IN_BYTES + 1)
    submission = taken(course)
    assert submission.refusal is None
    (file,) = submission.files
    assert file.data is None
    words = {"pipe": "not a regular file", "folder": "is a folder", "large": "more than 5 MB"}
    wanted = words.get(kind, "not handed in" if kind == "none" else "is a link")
    assert wanted in file.problem


def test_the_limit_is_that_of_the_format():
    assert intake.MAX_HANDED_IN_BYTES == policy_files.MAX_FILE_BYTES < archives.MB * 20


# --- collecting ----------------------------------------------------------------------------------


def notebook(course):
    return json.dumps(mini.solved(course.root)).encode()


def moodle(course, tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(("Ann Lee", "Bob Ray")):
            folder = f"{name}_{12345 + number}_assignsubmission_file"
            archive.writestr(f"{folder}/{mini.LAB}.ipynb", notebook(course))
            archive.writestr(f"{folder}/{FILE}", name.encode())
    return path


def canvas(course, tmp_path):
    path = tmp_path / "submissions.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(("leeann", "raybob")):
            archive.writestr(f"{name}_{100 + number}_{200}_{mini.LAB}.ipynb", notebook(course))
            archive.writestr(f"{name}_{100 + number}_{201}_agent-1.bin", name.encode())
    return path


def folders(course, tmp_path):
    for name in ("ann", "bob"):
        folder = tmp_path / "came" / name / mini.LAB
        folder.mkdir(parents=True)
        (folder / f"{mini.LAB}.ipynb").write_bytes(notebook(course))
        (folder / FILE).write_bytes(name.encode())
    return tmp_path / "came"


def zips(course, tmp_path):
    for name in ("ann", "bob"):
        folder = tmp_path / "came" / name
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "work.zip", "w") as archive:
            archive.writestr(f"{mini.LAB}.ipynb", notebook(course))
            archive.writestr(FILE, name.encode())
    return tmp_path / "came"


@pytest.mark.parametrize("source", [moodle, canvas, folders, zips])
def test_from_wherever_it_comes_the_file_arrives_with_its_notebook(course, tmp_path, source):
    collect(course, mini.LAB, source(course, tmp_path))
    students = intake.students(course, mini.LAB)
    found = [taken(course, student) for student in students]
    assert len(found) == 2 and all(s.refusal is None for s in found)
    assert all(s.files[0].data for s in found)
    assert len({s.files[0].data for s in found}) == 2


def test_what_collect_does_not_take_is_the_reason(course, tmp_path):
    came = folders(course, tmp_path)
    (came / "ann" / mini.LAB / FILE).unlink()
    (came / "ann" / mini.LAB / FILE).symlink_to("/etc/passwd")
    collect(course, mini.LAB, came)
    assert "is a link" in taken(course, "ann").files[0].problem
    assert taken(course, "bob").files[0].data == b"bob"


# --- the job -------------------------------------------------------------------------------------


def test_the_job_carries_the_file_or_its_problem_and_nothing_without_a_request(course):
    lab = pipeline.load_lab(course, mini.LAB)
    requests = dict.fromkeys(("test_square", "test_hypotenuse", "test_agent"), "{}")
    files = intake.given(lab.skeleton, {FILE: b"\x00\xff"})
    job = json.loads(pipeline.make_job(lab, lab.skeleton, requests, files=files))
    assert job["files"] == {"test_agent": {"data": "AP8="}}
    assert "def play" in job["player"]
    job = json.loads(
        pipeline.make_job(lab, lab.skeleton, requests, files=intake.given(lab.skeleton, {}))
    )
    assert "was not handed in" in job["files"]["test_agent"]["problem"]
    job = json.loads(pipeline.make_job(lab, lab.skeleton, requests, files=files, only={"square"}))
    assert "files" not in job and "player" not in job


# --- the judge -----------------------------------------------------------------------------------


def observation(values, **changes):
    returns = [float(x) for x in values]
    best = int(np.argmax(returns))
    return {
        "policy": {"name": "amber-otter-137", "parameters": 4996, "env_steps": 118_784},
        "returns": returns,
        "lengths": [200] * len(returns),
        "best": {"episode": best, "actions": "0123" * 50},
        **changes,
    }


GOOD = np.linspace(210.0, 290.0, 50)


def verdict(found, failure=None):
    return judge.judge(EXERCISE, 7, found, 6.0, failure)


def test_full_marks_if_and_only_if_accepted():
    good = verdict(observation(GOOD))
    assert (good.score, good.passed, good.mistake) == (6.0, True, None)
    assert good.details["episodes"] == 50 and good.details["mean"] == 250.0
    assert good.details["low"] < 250.0 < good.details["high"]
    seeds = judge.request(EXERCISE, 7)["agent"]["seeds"]
    assert good.details["seed"] == seeds[49] and str(seeds[49]) not in good.message
    bad = verdict(observation(GOOD - 150))
    assert (bad.passed, bad.mistake) == (False, "below_the_level")
    assert bad.score == round(6 * 0.8 * 100 / 200, 2) and "Mean return of 50" in bad.message
    assert verdict(observation(GOOD - 600)).score == 0.0


def test_seeds_are_the_graders_own_and_the_same_for_everyone():
    first, again, other = (judge.request(EXERCISE, s)["agent"]["seeds"] for s in (1, 1, 2))
    assert first == again and len(set(first)) == acceptance.LOOKS[-1]
    assert not set(first) & set(other)
    assert judge.has(EXERCISE) and "lander_agent" not in judge.exercises("lab6_lunar_lander")


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {"returns": [300.0] * 50},
        observation(GOOD[:49]),
        observation([*GOOD, 300.0]),
        observation(np.tile(GOOD, 2)),  # went on although it was decided
        observation([*GOOD[:-1], 1e9]),
        observation([*GOOD[:-1], float("nan")]),
        observation(GOOD, returns=["300"] * 50),
        observation(GOOD, returns=[True] * 50),
        observation(GOOD, returns="9" * 50),
        observation(GOOD, lengths=[200] * 49),
        observation(GOOD, lengths=[0] * 50),
        observation(GOOD, lengths=[10**9] * 50),
        observation(GOOD, best={"episode": 0, "actions": "0" * 200}),
        observation(GOOD, best={"episode": 99, "actions": "0" * 200}),
        observation(GOOD, best={"episode": 49, "actions": "0" * 199}),
        observation(GOOD, best={"episode": 49, "actions": "9" * 200}),
        observation(GOOD, best={"episode": 49, "actions": ["0"] * 200}),
        observation(GOOD, policy={"name": "<b>", "parameters": 1, "env_steps": 0}),
        observation(GOOD, policy={"name": "a-b-123", "parameters": -1, "env_steps": 0}),
        observation(GOOD, policy={"name": "a-b-123", "parameters": 1, "env_steps": 1.5}),
        observation(GOOD, policy=[]),
    ],
)
def test_an_answer_that_cannot_be_is_none(found):
    result = verdict(found)
    assert (result.score, result.passed, result.details) == (0.0, False, {})
    assert "No answer came back" in result.message


def test_why_nothing_was_played_is_said():
    for found, failure, words in (
        ({"problem": "agent.bin breaks off\x1b[31m"}, None, "agent.bin breaks off?[31m."),
        (None, "agent.bin was not handed in: hand it in", "was not handed in"),
        (None, "timeout", "did not come to an end"),
        (None, "kernel died", "ended"),
    ):
        result = verdict(found, failure)
        assert result.score == 0.0 and words in result.message and result.mistake == "no_policy"


# --- playing -------------------------------------------------------------------------------------


def fixture(name):
    from pathlib import Path

    return (Path(__file__).parents[1] / "fixtures" / f"lander_{name}.safetensors").read_bytes()


def test_what_was_played_can_be_played_again_from_its_actions():
    from course_utils.environments import make_env

    wanted = judge.request(EXERCISE, 11)["agent"]
    played = agent_player.play(fixture("best"), wanted)
    assert len(played["returns"]) == 50
    best = played["best"]["episode"]
    env = make_env("LunarLander-v3")
    env.reset(seed=wanted["seeds"][best])
    total = 0.0
    for action in played["best"]["actions"]:
        _, reward, terminated, truncated, _ = env.step(int(action))
        total += float(reward)
    assert (terminated or truncated) and total == played["returns"][best]


@pytest.mark.parametrize(
    ("model", "env_id", "words"),
    [
        (nn.Linear(4, 2), "CartPole-v1", "holds a policy for CartPole-v1, not for LunarLander-v3"),
        (torch.full((4, 8), 3e38), "LunarLander-v3", "gives logits that are not finite"),
    ],
)
def test_what_cannot_play_says_why(model, env_id, words):
    if isinstance(model, torch.Tensor):
        linear = nn.Linear(8, 4)
        linear.weight.data = model
        data = policy_files.to_bytes([linear], env_id)
    else:
        data = policies.to_bytes(model, env_id)
    played = agent_player.play(data, judge.request(EXERCISE, 11)["agent"])
    assert played == {"problem": f"lander.safetensors {words}"}


def test_a_file_of_the_right_name_and_the_wrong_sizes_cannot_play():
    data = policy_files.to_bytes([nn.Linear(4, 2)], "LunarLander-v3")
    played = agent_player.play(data, judge.request(EXERCISE, 11)["agent"])
    assert "takes 4 numbers and gives 2; LunarLander-v3 shows 8" in played["problem"]


def test_in_the_notebooks_own_kernel_it_is_judged_alike(tmp_path, monkeypatch, capsys):
    """For nbgrader without this course's configuration; the seeds are the only difference."""
    monkeypatch.setattr(hidden, "_SEED", 11)
    monkeypatch.setattr(hidden.reference, "points", lambda exercise: 6.0)
    path = tmp_path / "lander.safetensors"
    path.write_bytes(fixture("best"))
    assert hidden.hidden_test(EXERCISE, str(path)) == 6.0
    played = agent_player.play(fixture("best"), judge.request(EXERCISE, 11)["agent"])
    assert judge.judge(EXERCISE, 11, played, 6.0).message == capsys.readouterr().out.strip("\n")
    path.write_bytes(b"x")
    assert hidden.hidden_test(EXERCISE, str(path)) == 0.0
    path.unlink()
    assert hidden.hidden_test(EXERCISE, str(path)) == 0.0
    assert "cannot be opened" in capsys.readouterr().out


def test_what_hidden_test_and_the_labs_cell_name_is_what_the_judge_plays():
    lab = pipeline.load_lab(Course.open(), "lab6_lunar_lander")
    (test,) = [test for test in lab.tests if test.file]
    assert f"{lab.name}/{test.name}" == EXERCISE
    assert agents.AGENTS[EXERCISE].file == test.file


# --- what students are told ----------------------------------------------------------------------


def test_progress_counts_the_file_as_written_when_it_is_there(course):
    path = course.release_path(mini.LAB)
    agent = progress.read(path).exercises[-1]
    assert (agent.name, agent.written) == ("agent", False)
    (path.parent / FILE).write_bytes(b"numbers")
    assert progress.read(path).exercises[-1].written
