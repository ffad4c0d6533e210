"""Watch an agent: one episode as a video inside the notebook."""

from __future__ import annotations

import base64
import contextlib
import html
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np

from course_utils.environments import make_env
from course_utils.execution import is_grading, todo_message, unwritten_function


@dataclass(frozen=True)
class Replay:
    """One played episode; as the last line of a cell it shows itself as a video.

    Attributes:
        env_id: the environment.
        episode_return: undiscounted sum of rewards.
        n_steps: number of environment steps.
        ending: "terminated" (the task ended), "truncated" (the time limit) or "max_steps".
        mp4: H.264 video, empty where nothing was recorded (while grading).
    """

    env_id: str
    episode_return: float
    n_steps: int
    ending: str
    mp4: bytes
    width: int = 300

    @property
    def caption(self) -> str:
        """What happened, in one sentence."""
        endings = {
            "terminated": "until the task ended",
            "truncated": "until the time limit",
            "max_steps": "then the recording stopped",
        }
        return (
            f"{self.env_id}: return {self.episode_return:.4g} in {self.n_steps} steps, "
            f"{endings[self.ending]}."
        )

    def __repr__(self) -> str:
        return f"Replay({self.caption!r}, {len(self.mp4) / 1024:.0f} KiB)"

    def _repr_html_(self) -> str:
        caption = html.escape(self.caption)
        if not self.mp4:
            return f"<p>{caption}</p>"
        data = base64.b64encode(self.mp4).decode("ascii")
        label = html.escape(f"Replay of the agent. {self.caption}", quote=True)
        return (
            f'<figure style="margin:0"><video controls muted loop playsinline '
            f'width="{self.width * 3 // 2}" aria-label="{label}" '
            'style="border:1px solid var(--jp-border-color2, #999)" '
            f'src="data:video/mp4;base64,{data}"></video>'
            f"<figcaption>{caption}</figcaption></figure>"
        )


def replay(
    act: Callable[[np.ndarray], int],
    env_id: str = "CartPole-v1",
    seed: int = 0,
    max_steps: int = 2000,
) -> Replay | None:
    """Play one episode and return it as a video; make it the last line of a cell.

    Args:
        act: ``act(obs[O]) -> action``; obs is a NumPy array, the action an int (or an array for
            continuous actions).
        env_id: Gymnasium's name of the environment.
        seed: seeds the environment, so that the episode can be repeated.
        max_steps: stop recording after so many steps if the episode does not end by itself.

    Returns:
        The episode, or None (and one printed line) if ``act`` needs a function that is not
        written yet. While grading the episode is played but not recorded.

    Raises:
        ValueError: unknown environment, or an action outside its action space.
        ImportError: the environment needs a package that is not installed.
    """
    with _no_window():
        env = make_env(env_id, render_mode=None if is_grading() else "rgb_array")
        try:
            return _record(act, env, env_id, seed, max_steps)
        except NotImplementedError as error:
            name = unwritten_function(error)
            if name is None:
                raise
            print(todo_message(name))
            return None
        finally:
            env.close()


def _record(
    act: Callable[[np.ndarray], int], env: gym.Env, env_id: str, seed: int, max_steps: int
) -> Replay:
    obs, _ = env.reset(seed=seed)
    episode_return, n_steps, ending = 0.0, 0, "max_steps"
    with _Mp4Writer(env) as video:
        video.add_frame()
        while n_steps < max_steps:
            obs, reward, terminated, truncated, _ = env.step(_checked(act(obs), env.action_space))
            episode_return += float(reward)
            n_steps += 1
            video.add_frame()
            if terminated or truncated:
                ending = "terminated" if terminated else "truncated"
                break
        return Replay(env_id, episode_return, n_steps, ending, video.finish(), video.width)


def _checked(action: object, space: gym.Space) -> object:
    """The action as the environment wants it; a tensor or array of one integer becomes an int."""
    if isinstance(space, gym.spaces.Discrete):
        try:
            action = int(action)  # type: ignore[call-overload]
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(
                f"act(obs) must return one whole number from 0 to {space.n - 1}; "
                f"it returned {type(action).__name__}"
            ) from None
        if not space.contains(action):
            raise ValueError(
                f"act(obs) must return a number from 0 to {space.n - 1}; it returned {action}"
            )
    return action


class _Mp4Writer(contextlib.AbstractContextManager):
    """Collects an environment's frames into an H.264 video at half their size.

    ffmpeg (it comes inside imageio-ffmpeg's wheel) runs beside the episode and does the scaling.
    An environment without a render mode records nothing.
    """

    def __init__(self, env: gym.Env) -> None:
        self._env = env
        self._writer = None
        self._folder: tempfile.TemporaryDirectory | None = None
        self.width = 0

    def add_frame(self) -> None:
        if self._env.render_mode is None:
            return
        frame = np.ascontiguousarray(self._env.render())
        if self._writer is None:
            self._start(frame.shape[1], frame.shape[0])
        self._writer.send(frame)

    def _start(self, width: int, height: int) -> None:
        import imageio_ffmpeg

        self.width = max(2, width // 4 * 2)  # yuv420p wants even sizes
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "replay.mp4"
        self._writer = imageio_ffmpeg.write_frames(
            str(self._path),
            (width, height),
            fps=self._env.metadata.get("render_fps", 30),
            codec="libx264",
            pix_fmt_in="rgb24",
            pix_fmt_out="yuv420p",
            quality=None,
            macro_block_size=1,
            ffmpeg_log_level="error",
            output_params=[
                # The last picture stays for a second: how it ended is what one wants to see.
                "-vf",
                f"scale={self.width}:{max(2, height // 4 * 2)}:flags=area,"
                "tpad=stop_mode=clone:stop_duration=1",
                *("-preset", "ultrafast", "-crf", "26", "-movflags", "+faststart"),
            ],
        )
        self._writer.send(None)

    def finish(self) -> bytes:
        """Close the file and return its bytes (none if no frame was added)."""
        if self._writer is None:
            return b""
        self._writer.close()
        self._writer = None
        return self._path.read_bytes()

    def __exit__(self, *_exc: object) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._folder is not None:
            self._folder.cleanup()


@contextlib.contextmanager
def _no_window() -> Iterator[None]:
    """pygame draws into memory: no window and no sound device is opened, on any machine."""
    wanted = {
        "SDL_VIDEODRIVER": "dummy",
        "SDL_AUDIODRIVER": "dummy",
        "PYGAME_HIDE_SUPPORT_PROMPT": "1",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
