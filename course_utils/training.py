"""Watch a training run: progress bar, live curve, one figure at the end; Ctrl-C loses nothing."""

from __future__ import annotations

import html
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from course_utils.execution import (
    display_html,
    has_frontend,
    is_grading,
    kernel_shell,
    todo_message,
    unwritten_function,
)
from course_utils.widgets import STYLE, script

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MAX_POINTS = 400  # of the live curve; more cannot be told apart on the screen


class Throttle:
    """Says yes at most ``hz`` times a second, first one interval after it was made.

    Args:
        hz: times a second.
        clock: seconds, for tests.
    """

    def __init__(self, hz: float, clock: Callable[[], float] = time.perf_counter) -> None:
        if not hz > 0:
            raise ValueError(f"hz must be positive; got {hz!r}")
        self._interval = 1.0 / hz
        self._clock = clock
        self._due = clock() + self._interval

    def ready(self) -> bool:
        """True if it is time again; the next interval then starts now."""
        now = self._clock()
        if now < self._due:
            return False
        self._due = now + self._interval
        return True


class Monitor:
    """Follows a training loop and shows it.

    In a notebook: a progress bar with the time left and a curve that grows while the cell runs.
    At the end both give way to one static figure, which stays in the saved notebook. Run without
    a browser (nbclient, nbconvert) only the figure appears; while grading, and in plain Python,
    nothing does.

    JupyterLab's stop button (or Ctrl-C) ends the ``with`` block quietly: everything up to then is
    kept, and the code after the block runs. A function that is not written yet is named in one
    line, also quietly. Every other error is raised as usual.

    Args:
        total_steps: environment steps of the whole run, for the progress bar.
        goal: mean return at which the task counts as solved; None: it never does.
        title: above the curve.
        window: number of latest episodes that the mean return is taken over.
        hz: how many times a second the display may change.
        band: (steps, low, high) of reference runs, drawn shaded in the final figure.
        figure: False leaves no figure behind.

    Attributes:
        solved: True from the moment the mean of ``window`` episodes has reached ``goal``.
        solved_at: environment steps at that moment, else None.
        interrupted: True if the run was stopped by hand.
        env_steps: environment steps so far.
        seconds: wall-clock seconds of the ``with`` block (so far).

    Example::

        with Monitor(total_steps=200_000, goal=475, title="PPO on CartPole-v1") as monitor:
            while monitor.env_steps < 200_000:
                ...
                monitor.episodes(finished_returns, env_steps)
                monitor.log(approx_kl=0.01, clip_fraction=0.1)
                if monitor.solved:
                    break
        monitor.history["mean_return"]
    """

    def __init__(
        self,
        total_steps: int,
        goal: float | None = None,
        title: str = "",
        window: int = 100,
        hz: float = 5.0,
        band: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
        figure: bool = True,
    ) -> None:
        if total_steps < 1 or window < 1:
            raise ValueError(
                f"total_steps and window must be at least 1; got {total_steps!r} and {window!r}"
            )
        self.total_steps = int(total_steps)
        self.goal = goal
        self.title = title
        self.window = int(window)
        self.band = band
        self.figure = figure
        self.solved = False
        self.solved_at: int | None = None
        self.interrupted = False
        self.env_steps = 0
        self._hz = hz
        self._throttle = Throttle(hz)
        self._visible = False
        self._recent: deque[float] = deque(maxlen=self.window)
        self._steps: list[int] = []
        self._returns: list[float] = []
        self._means: list[float] = []
        self._log_steps: list[int] = []
        self._log: dict[str, list[float]] = {}
        self._display: _LiveDisplay | None = None
        self._started: float | None = None
        self._stopped: float | None = None

    @property
    def mean_return(self) -> float:
        """Mean return of the last ``window`` episodes (of fewer at the start), NaN before any."""
        return self._means[-1] if self._means else float("nan")

    @property
    def seconds(self) -> float:
        if self._started is None:
            return 0.0
        return (self._stopped or time.perf_counter()) - self._started

    @property
    def history(self) -> dict[str, np.ndarray]:
        """What was recorded.

        ``env_steps``, ``episode_returns``, ``mean_return``: ``[E]``, one entry an episode.
        ``log_steps`` and every series given to ``log``: ``[U]``, one entry a call, NaN where a
        call left the series out.
        """
        missing = float("nan")
        n = len(self._log_steps)
        return {
            "env_steps": np.array(self._steps, dtype=np.int64),
            "episode_returns": np.array(self._returns, dtype=float),
            "mean_return": np.array(self._means, dtype=float),
            "log_steps": np.array(self._log_steps, dtype=np.int64),
            **{k: np.array(v + [missing] * (n - len(v))) for k, v in self._log.items()},
        }

    def episodes(self, returns: Iterable[float], env_steps: int) -> None:
        """Record the episodes that have finished, and how far the run is.

        Args:
            returns: undiscounted return of each episode finished since the last call; may be
                empty.
            env_steps: environment steps taken so far, over all environments.
        """
        self.env_steps = int(env_steps)
        for value in returns:
            value = float(value)
            self._recent.append(value)
            self._steps.append(self.env_steps)
            self._returns.append(value)
            self._means.append(sum(self._recent) / len(self._recent))
        if (
            self.goal is not None
            and not self.solved
            and len(self._recent) == self.window
            and self.mean_return >= self.goal
        ):
            self.solved, self.solved_at = True, self.env_steps
        if self._visible and self._throttle.ready():
            if self._display is None:
                # Not before: a run that ends at once, at an unwritten function, shows nothing.
                self._display = _LiveDisplay(self.total_steps, self.goal, self.title, self.window)
            self._display.update(self.env_steps, self._steps, self._means)

    def log(self, **series: float) -> None:
        """Record further numbers at the present step; each becomes a small plot at the end."""
        n = len(self._log_steps)
        self._log_steps.append(self.env_steps)
        for name, value in series.items():
            values = self._log.setdefault(name, [])
            values.extend([float("nan")] * (n - len(values)))
            values.append(float(value))

    def __enter__(self) -> Monitor:
        self._visible = has_frontend()
        self._throttle = Throttle(self._hz)
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._stopped = time.perf_counter()
        unwritten = unwritten_function(error) if error is not None else None
        self.interrupted = isinstance(error, KeyboardInterrupt)
        try:
            self._leave_figure()
        finally:
            if self._display is not None:
                self._display.close()
                self._display = None
        if self.interrupted:
            print(
                f"Stopped by hand at step {self.env_steps:,} of {self.total_steps:,}. "
                "What was learned so far is kept."
            )
        elif unwritten is not None:
            print(todo_message(unwritten))
        return self.interrupted or unwritten is not None

    def summary(self) -> str:
        """The run in one sentence."""
        if not self._returns:
            return f"No episode has finished in {self.env_steps:,} steps."
        run = f"{self.env_steps:,} environment steps, {self.seconds:.1f} s"
        if self.solved_at == self.env_steps:
            run = f"{self.seconds:.1f} s"
        n = len(self._recent)
        mean = f"mean return of the last {n} episodes: {self.mean_return:.1f}"
        if self.solved_at is not None:
            solved = f"Solved (goal {self.goal:g}) after {self.solved_at:,} environment steps."
            return f"{solved} {run}; {mean}."
        goal = "" if self.goal is None else f" Not solved yet (goal {self.goal:g})."
        return f"{run}; {mean}.{goal}"

    def _leave_figure(self) -> None:
        """Put the static figure where the live display was, or where there was none."""
        drawn = ""
        if not self._returns or is_grading() or kernel_shell() is None:
            pass
        elif not self.figure:
            drawn = f"<p>{html.escape(self.summary())}</p>" if self._display is not None else ""
        else:
            from course_utils import figures

            alt = f"Learning curve{' of ' + self.title if self.title else ''}. {self.summary()}"
            drawn = (
                '<figure style="margin:0">'
                + figures.img_html(
                    figures.training_summary(
                        self.history, self.goal, self.window, self.title, self.band
                    ),
                    alt,
                )
                + f"<figcaption>{html.escape(self.summary())}</figcaption></figure>"
            )
        if self._display is not None:
            self._display.replace(drawn, self.summary())
        elif drawn:
            display_html(drawn, self.summary())


class _LiveDisplay:
    """Progress bar and live curve in one output, which ``replace`` turns into static HTML.

    Widgets are not stored in a saved notebook; an output that still held one would read "model
    not found" when the notebook is opened again.
    """

    _finished: ClassVar[tuple[Any, ...]] = ()

    def __init__(self, total_steps: int, goal: float | None, title: str, window: int) -> None:
        import ipywidgets
        from IPython.display import display
        from tqdm.auto import tqdm

        for widget in _LiveDisplay._finished:
            widget.close()
        _LiveDisplay._finished = ()
        self._bar = tqdm(
            total=total_steps, desc="training", unit=" steps", unit_scale=True,
            display=False, mininterval=0.4,
        )  # fmt: skip
        self._curve = _live_curve_class()(
            total_steps=total_steps, goal=goal, window=window, title=title
        )
        self._box = ipywidgets.VBox([self._bar.container, self._curve])
        self._handle = display(self._box, display_id=True)

    def update(self, env_steps: int, steps: list[int], means: list[float]) -> None:
        if means:
            self._bar.set_postfix_str(f"mean return {means[-1]:.1f}", refresh=False)
        self._bar.update(env_steps - self._bar.n)
        self._curve.points = curve_bytes(steps, means)

    def replace(self, html_text: str, text: str) -> None:
        data = {"text/html": html_text, "text/plain": text}
        self._handle.update(data, raw=True)

    def close(self) -> None:
        self._bar.close()
        # A widget closed while the browser still loads it is an error there, so the models of
        # one run are kept until the next run shows something.
        _LiveDisplay._finished = (self._curve, self._bar.container, self._box)


def curve_bytes(steps: list[int], means: list[float]) -> bytes:
    """At most ``MAX_POINTS`` + 1 pairs (step, mean return), the latest included, as float32."""
    stride = max(1, -(-len(steps) // MAX_POINTS))
    chosen = list(range(0, len(steps), stride))
    if steps and chosen[-1] != len(steps) - 1:
        chosen.append(len(steps) - 1)
    pairs = [(steps[i], means[i]) for i in chosen]
    return np.array(pairs, dtype="<f4").tobytes()


_live_curve: type[Any] | None = None


def _live_curve_class() -> type[Any]:
    """The widget class, made at first use: importing it takes longer than importing this module."""
    global _live_curve
    if _live_curve is None:
        import anywidget
        import traitlets

        class LiveCurve(anywidget.AnyWidget):
            """A learning curve that grows as ``points`` changes."""

            _esm = script("live_curve")
            _css = STYLE

            points = traitlets.Bytes().tag(sync=True)
            total_steps = traitlets.Int().tag(sync=True)
            goal = traitlets.Float(None, allow_none=True).tag(sync=True)
            window = traitlets.Int().tag(sync=True)
            title = traitlets.Unicode().tag(sync=True)

        _live_curve = LiveCurve
    return _live_curve
