"""A replay is a playable, labeled, small video of exactly the episode that was played."""

import base64
import os
import re

import imageio_ffmpeg
import numpy as np
import pytest
import torch

from course_utils import replay as module
from course_utils.replay import replay


def balance(obs):
    return int(obs[2] + 0.3 * obs[3] + 0.05 * obs[0] + 0.1 * obs[1] > 0)


def test_a_full_episode(tmp_path):
    video = replay(balance, seed=1)
    assert (video.episode_return, video.n_steps, video.ending) == (500.0, 500, "truncated")
    page = video._repr_html_()
    tag = re.search(r"<video [^>]*>", page).group()
    for word in ("controls", "muted", "loop", "playsinline", 'aria-label="Replay of the agent.'):
        assert word in tag
    data = base64.b64decode(re.search(r"base64,([^\"]+)\"", tag).group(1))
    assert data == video.mp4
    assert len(data) < 100_000
    path = tmp_path / "replay.mp4"
    path.write_bytes(data)
    reader = imageio_ffmpeg.read_frames(str(path))
    meta = next(reader)
    assert meta["source_size"] == (300, 200)
    assert meta["codec"] == "h264"
    assert meta["pix_fmt"].startswith("yuv420p")
    assert sum(1 for _ in reader) == 501 + 50  # the last picture stays for a second


def test_the_seed_fixes_the_episode_and_a_fall_terminates():
    first, again, other = (replay(lambda obs: 0, seed=s) for s in (3, 3, 4))
    assert first.mp4 == again.mp4
    assert first.ending == "terminated"
    assert first.mp4 != other.mp4


def test_lunar_lander_has_even_sizes_too():
    video = replay(lambda obs: 0, "LunarLander-v3", seed=1, max_steps=5)
    assert (video.n_steps, video.ending, video.width) == (5, "max_steps", 300)


@pytest.mark.parametrize("action", [torch.tensor(1), torch.tensor([1]), np.int64(1), np.array(1)])
def test_actions_of_any_integer_type(action):
    assert replay(lambda obs: action, max_steps=2).n_steps == 2


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (None, "must return one whole number from 0 to 1; it returned NoneType"),
        (torch.zeros(2), "it returned Tensor"),
        (2, "must return a number from 0 to 1; it returned 2"),
    ],
)
def test_wrong_actions(action, message):
    with pytest.raises(ValueError, match=message):
        replay(lambda obs: action)


def test_a_wrong_environment():
    with pytest.raises(ValueError, match="use 'LunarLander-v3'"):
        replay(balance, "LunarLander-v2")


def test_an_unwritten_policy_is_one_line(capsys):
    def my_policy(obs):
        raise NotImplementedError()

    assert replay(my_policy) is None
    assert "my_policy is not written yet" in capsys.readouterr().out


def test_closed_and_nothing_left_behind_after_an_error(monkeypatch):
    made = []

    def spy(*args, **options):
        made.append(make_env(*args, **options))
        return made[0]

    make_env = module.make_env
    monkeypatch.setattr(module, "make_env", spy)
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    with pytest.raises(ZeroDivisionError):
        replay(lambda obs: 1 // 0)
    assert made[0].unwrapped.isopen is False
    assert "SDL_VIDEODRIVER" not in os.environ


def test_no_video_while_grading(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    video = replay(balance, seed=1)
    assert (video.mp4, video.episode_return) == (b"", 500.0)
    assert "<video" not in video._repr_html_()
