"""Figures as pure functions: data in, a Matplotlib Figure out; ``show`` puts one in a notebook.

Colors are Okabe and Ito's color-blind-safe palette (https://jfly.uni-koeln.de/color/); what
matters also differs by line style. The background is white on purpose: a figure is a picture
stored in the notebook, and must stay readable when the notebook's theme changes to dark.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from course_utils.ablation import Ablation
from course_utils.execution import display_html
from course_utils.runs import Reference
from course_utils.scaling import Scaling

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GRAY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#666666",
)
CYCLE = (
    (BLUE, "-"),
    (VERMILION, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (ORANGE, (0, (5, 1, 1, 1))),
    (SKY, (0, (1, 1))),
)


def img_html(figure: Figure, alt: str, width: int | None = None) -> str:
    """The figure as ``<img>`` with an alternative text (IPython's Image drops its ``alt``).

    Args:
        figure: any Matplotlib figure.
        alt: what a reader who cannot see the figure needs to know.
        width: pixels on the page; by default 96 per inch of the figure.
    """
    if not alt.strip():
        raise ValueError("a figure needs an alternative text: alt='what one sees in it'")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144, facecolor="white")
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    width = width or round(figure.get_figwidth() * 96)
    return (
        f'<img alt="{html.escape(alt, quote=True)}" width="{width}" '
        f'style="max-width:100%;height:auto" src="data:image/png;base64,{data}">'
    )


def show(figure: Figure, alt: str, width: int | None = None) -> None:
    """Show the figure in the notebook with its alternative text (nothing in plain Python)."""
    display_html(img_html(figure, alt, width), text=f"[figure: {alt}]")


def running_mean(values: ArrayLike, window: int) -> np.ndarray:
    """Mean of the last ``window`` entries at each entry (of fewer at the start); ``[E] -> [E]``."""
    values = np.asarray(values, dtype=float)
    total = np.cumsum(np.concatenate([[0.0], values]))
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - window, 0)
    return (total[end] - total[start]) / (end - start)


def learning_curve(
    env_steps: ArrayLike,
    episode_returns: ArrayLike,
    goal: float | None = None,
    window: int = 100,
    title: str = "",
    extra: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    band: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    band_label: str = "reference runs",
) -> Figure:
    """Episode returns and their running mean over environment steps.

    Args:
        env_steps: ``[E]`` environment steps at which each episode ended, not decreasing.
        episode_returns: ``[E]``.
        goal: draws a dashed line at this return.
        window: number of episodes in the running mean.
        title: above the axes.
        extra: label -> (steps, mean returns), drawn as further lines.
        band: (steps, low, high), drawn shaded beneath everything.
        band_label: its name in the legend.
    """
    figure = _figure(7.2, 3.6)
    _draw_learning_curve(
        figure.subplots(), env_steps, episode_returns, goal, window, title, extra, band, band_label
    )
    return figure


def _draw_learning_curve(
    axes: Axes,
    env_steps: ArrayLike,
    episode_returns: ArrayLike,
    goal: float | None,
    window: int,
    title: str,
    extra: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    band: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    band_label: str = "",
) -> None:
    steps, returns = _same_length(env_steps=env_steps, episode_returns=episode_returns)
    if band is not None:
        axes.fill_between(*map(np.asarray, band), color=GRAY, alpha=0.2, lw=0, label=band_label)
    axes.plot(steps, returns, ".", color=SKY, ms=3, alpha=0.5, label="one episode")
    mean = running_mean(returns, window)
    axes.plot(steps, mean, color=BLUE, lw=2.2, label=f"mean of the last {window}")
    for (label, (x, y)), (color, style) in zip((extra or {}).items(), CYCLE[1:], strict=False):
        axes.plot(x, y, color=color, ls=style, lw=1.8, label=label)
    if goal is not None:
        axes.axhline(goal, color=VERMILION, ls="--", lw=1.4, label=f"goal {goal:g}")
    axes.xaxis.set_major_formatter(_thousands)
    _label(axes, "environment steps", "return", title)
    axes.legend(frameon=False, fontsize=8, loc="best")


def compare_methods(
    references: Sequence[Reference],
    own: Mapping[str, Sequence[tuple[ArrayLike, ArrayLike]]] | None = None,
    goal: float | None = None,
    window: int = 100,
    title: str = "",
) -> Figure:
    """Reference curves of several methods, with the student's own runs drawn over them.

    Args:
        references: ``runs.Reference``, one line and one band each.
        own: lab -> runs, each (env_steps [E], episode_returns [E]); drawn as thin dark lines in
            the dash of their method.
        goal: draws a dashed line at this return.
        window: number of episodes in the running mean of the own runs.
        title: above the axes.
    """
    figure = _figure(7.2, 4.0)
    axes = figure.subplots()
    for reference, (color, style) in zip(references, CYCLE, strict=False):
        label = f"{reference.title}, {reference.seeds} seeds"
        axes.fill_between(*reference.band, color=color, alpha=0.18, lw=0)
        axes.plot(reference.env_steps, reference.iqm, color=color, ls=style, lw=2, label=label)
        for i, (steps, returns) in enumerate((own or {}).get(reference.lab, ())):
            steps, returns = _same_length(env_steps=steps, episode_returns=returns)
            name = f"{reference.title}, yours" if i == 0 else None
            mean = running_mean(returns, window)
            # Episodes that were counted together have one number of steps: the last one's mean.
            last = np.flatnonzero(np.diff(steps, append=np.inf))
            steps, mean = steps[last], mean[last]
            axes.plot(steps, mean, color="black", ls=style, lw=1.1, alpha=0.8, label=name)
    if goal is not None:
        axes.axhline(goal, color=GRAY, ls="--", lw=1.2, label=f"goal {goal:g}")
    axes.xaxis.set_major_formatter(_thousands)
    _label(axes, "environment steps", f"mean return of the last {window} episodes", title)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def returns_histogram(
    samples: Mapping[str, ArrayLike],
    goal: float | None = None,
    title: str = "",
    bins: int = 30,
) -> Figure:
    """Returns of evaluation episodes, one panel below the other on a common axis.

    Args:
        samples: label -> returns [R] of one agent, one or more of them.
        goal: draws a dashed line at this return.
        title: above the panels.
        bins: number of bars over the range of all samples.
    """
    arrays = {label: _flat(returns) for label, returns in samples.items()}
    if not arrays or any(returns.size == 0 for returns in arrays.values()):
        raise ValueError("samples needs at least one array of returns, none of them empty")
    everything = np.concatenate([*arrays.values(), [] if goal is None else [goal]])
    edges = np.histogram_bin_edges(everything[np.isfinite(everything)], bins)
    figure = _figure(7.2, 0.9 + 1.2 * len(arrays))
    all_axes = figure.subplots(len(arrays), 1, sharex=True, squeeze=False).ravel()
    for i, (axes, (label, returns)) in enumerate(zip(all_axes, arrays.items(), strict=True)):
        color = CYCLE[i % len(CYCLE)][0]
        axes.hist(returns, edges, color=color, alpha=0.85)
        axes.axvline(returns.mean(), color="black", lw=1.6, label=f"mean {returns.mean():.0f}")
        if goal is not None:
            axes.axvline(goal, color=VERMILION, ls="--", lw=1.4, label=f"goal {goal:g}")
        axes.legend(frameon=False, fontsize=8, loc="upper left", title=label, title_fontsize=8)
        _label(axes, "", "", title if i == 0 else "")
    all_axes[-1].set_xlabel("return of one episode")
    figure.supylabel("episodes", fontsize=9)
    return figure


def training_diagnostics(series: Mapping[str, ArrayLike], env_steps: ArrayLike) -> Figure:
    """Small multiples, one for each logged series.

    Args:
        series: name -> ``[U]``, NaN where an update did not log it.
        env_steps: ``[U]`` environment steps at each update.
    """
    if not series:
        raise ValueError("series is empty: nothing to draw")
    columns = min(4, len(series))
    rows = -(-len(series) // columns)
    figure = _figure(2.4 * columns, 1.9 * rows)
    _draw_diagnostics(figure.subplots(rows, columns, squeeze=False).ravel(), series, env_steps)
    return figure


def _draw_diagnostics(
    all_axes: Sequence[Axes], series: Mapping[str, ArrayLike], env_steps: ArrayLike
) -> None:
    for axes, (name, values) in zip(all_axes, series.items(), strict=False):
        steps, values = _same_length(env_steps=env_steps, **{name: values})
        axes.plot(steps, values, color=BLUE, lw=1.5)
        _label(axes, "", "", name.replace("_", " "))
        axes.tick_params(labelsize=7)
        axes.title.set_fontsize(9)
        axes.locator_params(axis="x", nbins=3)
        axes.xaxis.set_major_formatter(_thousands)
        axes.locator_params(axis="y", nbins=4)
    for axes in all_axes[len(series) :]:
        axes.set_visible(False)


def training_summary(
    history: Mapping[str, ArrayLike],
    goal: float | None = None,
    window: int = 100,
    title: str = "",
    band: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
) -> Figure:
    """The learning curve with the logged series as small multiples beneath it.

    Args:
        history: ``Monitor.history``.
        goal, window, title, band: as in ``learning_curve``.
    """
    fixed = ("env_steps", "episode_returns", "mean_return", "log_steps")
    logged = {name: values for name, values in history.items() if name not in fixed}
    columns = 5 if len(logged) == 5 else 4
    rows = -(-len(logged) // columns)
    figure = _figure(7.6, 3.2 + 1.6 * rows)
    grid = figure.add_gridspec(1 + rows, columns, height_ratios=[2.6] + [1] * rows)
    _draw_learning_curve(
        figure.add_subplot(grid[0, :]),
        *(history[key] for key in ("env_steps", "episode_returns")),
        goal,
        window,
        title,
        band=band,
        band_label="reference runs",
    )
    cells = [figure.add_subplot(grid[1 + i // columns, i % columns]) for i in range(len(logged))]
    _draw_diagnostics(cells, logged, history.get("log_steps", ()))
    return figure


def ratio_histogram(
    ratios_per_epoch: Sequence[ArrayLike],
    clip_epsilon: float,
    title: str = "",
    labels: Sequence[str] | None = None,
) -> Figure:
    """How far the probability ratios have moved in each epoch of one update.

    Args:
        ratios_per_epoch: one array ``[B]`` of ratios (new policy / old policy) for each epoch.
        clip_epsilon: half the width of the band that is shaded around 1.
        title: above the panels.
        labels: one for each panel, instead of "epoch 1", "epoch 2", ...
    """
    epochs = [_flat(ratios) for ratios in ratios_per_epoch]
    if not epochs or any(ratios.size == 0 for ratios in epochs):
        raise ValueError("ratios_per_epoch needs at least one array, none of them empty")
    if labels is not None and len(labels) != len(epochs):
        raise ValueError(f"{len(labels)} labels for {len(epochs)} arrays of ratios")
    # The ratio is a factor: halved and doubled lie equally far from 1 on a logarithmic axis.
    ratios = np.concatenate(epochs)
    ratios = ratios[np.isfinite(ratios) & (ratios > 0)]
    span = np.log(np.quantile(ratios, [0.001, 0.999])) if ratios.size else np.zeros(2)
    half = max(abs(span).max(), -2 * np.log1p(-min(clip_epsilon, 0.9)), 0.1) * 1.1
    bins = np.exp(np.linspace(-half, half, 61))
    figure = _figure(7.2, 0.9 + 0.85 * len(epochs))
    all_axes = figure.subplots(len(epochs), 1, sharex=True, sharey=True, squeeze=False).ravel()
    for i, (axes, epoch) in enumerate(zip(all_axes, epochs, strict=True)):
        low, high = 1 - clip_epsilon, 1 + clip_epsilon
        axes.axvspan(low, high, color=GRAY, alpha=0.18, lw=0)
        inside = np.clip(epoch[~np.isnan(epoch)], bins[0], bins[-1])  # outer bars: all beyond
        share, _ = np.histogram(inside, bins)
        axes.stairs(share / epoch.size, bins, fill=True, color=BLUE)
        axes.axvline(1, color="black", lw=0.8)
        label = labels[i] if labels is not None else f"epoch {i + 1}"
        axes.text(0.99, 0.82, label, transform=axes.transAxes, ha="right", va="top", fontsize=9)
        axes.set_xscale("log")
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
        axes.tick_params(labelsize=8)
        _label(axes, "", "", title if i == 0 else "")
    marks = [m for m in _RATIO_MARKS if bins[0] <= m <= bins[-1]]
    all_axes[-1].set_xticks(marks, [f"{m:g}" for m in marks])
    all_axes[-1].set_xticks([], minor=True)
    all_axes[-1].set_xlabel(
        f"probability ratio (logarithmic); shaded: {1 - clip_epsilon:g} to {1 + clip_epsilon:g}"
    )
    figure.supylabel("share of samples", fontsize=9)
    return figure


_RATIO_MARKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
_RATIO_MARKS += (2.5, 3.0, 4.0, 5.0, 7.0, 10.0)


def six_regions(
    ratio: ArrayLike,
    objective_pos: ArrayLike,
    objective_neg: ArrayLike,
    slope_pos: ArrayLike,
    slope_neg: ArrayLike,
    clip_epsilon: float,
) -> Figure:
    """An objective over the ratio, for a positive and a negative advantage, in three regions each.

    Args:
        ratio: ``[R]``, increasing.
        objective_pos, objective_neg: ``[R]`` objective of one sample.
        slope_pos, slope_neg: ``[R]`` or, between the ratios, ``[R - 1]``. Where a slope is zero
            the curve is drawn dotted.
        clip_epsilon: half the width of the band around 1.
    """
    ratio = _flat(ratio)
    figure = _figure(7.6, 3.3)
    panels = (("A > 0", objective_pos, slope_pos), ("A < 0", objective_neg, slope_neg))
    low, high = 1 - clip_epsilon, 1 + clip_epsilon
    keys: dict[str, Artist] = {}
    for axes, (title, objective, slope) in zip(figure.subplots(1, 2), panels, strict=True):
        ratio, objective = _same_length(ratio=ratio, objective=objective)
        flat = abs(_flat(slope)) < 1e-6
        if flat.size == ratio.size:
            flat = flat[:-1] & flat[1:]
        axes.axvspan(low, high, color=GRAY, alpha=0.18, lw=0)
        axes.axhline(0, color="black", lw=0.8)
        for wanted, color, style, label in (
            (False, BLUE, "-", "gradient flows"),
            (True, VERMILION, (0, (1, 1.2)), "gradient is zero"),
        ):
            label_once: str | None = label
            for first, last in _runs(flat == wanted):
                part = slice(first, last + 1)
                axes.plot(
                    ratio[part], objective[part], color=color, ls=style, lw=3, label=label_once
                )
                label_once = None
        for x, text in ((low / 2, "below"), (1, "inside"), ((high + ratio[-1]) / 2, "above")):
            axes.text(
                x, 1.0, text, transform=axes.get_xaxis_transform(), ha="center", va="bottom",
                fontsize=8, color=GRAY,
            )  # fmt: skip
        axes.set_xticks([0, low, 1, high, 2], ["0", "1 - ε", "1", "1 + ε", "2"], fontsize=8)
        _label(axes, "probability ratio", "objective", "")
        axes.set_title(title, pad=16, fontsize=11)
        handles = [h for h in axes.lines if not h.get_label().startswith("_")]
        keys |= {handle.get_label(): handle for handle in handles}
    figure.legend(keys.values(), keys.keys(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def lr_schedule(
    updates: ArrayLike, lrs: ArrayLike | Mapping[str, ArrayLike], title: str = "Learning rate"
) -> Figure:
    """Learning rate over updates.

    Args:
        updates: ``[U]``.
        lrs: ``[U]``, or label -> ``[U]`` to compare several schedules.
        title: above the axes.
    """
    figure = _figure(6.0, 2.8)
    axes = figure.subplots()
    several = lrs if isinstance(lrs, Mapping) else {"": lrs}
    for (label, values), (color, style) in zip(several.items(), CYCLE, strict=False):
        x, y = _same_length(updates=updates, lrs=values)
        axes.plot(x, y, color=color, ls=style, lw=2, label=label or None)
    axes.axhline(0, color="black", lw=0.8)
    _label(axes, "update", "learning rate", title)
    if any(several):
        axes.legend(frameon=False, fontsize=9)
    return figure


def ablation(study: Ablation, own: Mapping[str, Sequence[int | None]] | None = None) -> Figure:
    """Environment steps until solved, a row for each change: every run, their IQM, its interval.

    Args:
        study: ``ablation.ablation()``.
        own: name of a change -> steps of the student's own runs, None for one that was not solved
            (``ablation.run_again``).
    """
    own = own or {}
    unknown = [name for name in own if name not in {result.name for result in study.results}]
    if unknown:
        raise ValueError(f"no row is called {unknown[0]!r}")
    figure = _figure(7.6, 1.2 + 0.36 * len(study.results))
    axes = figure.subplots()
    axes.axvspan(study.results[0].low, study.results[0].high, color=GRAY, alpha=0.15, lw=0)
    once = _Once()
    for row, result in enumerate(study.results):
        solved = result.solved
        for mask, marker, color, label in (
            (solved, ".", SKY, "one run"),
            (~solved, "x", VERMILION, "one run, not solved"),
        ):
            # Runs that ended together lie side by side, so that each can be seen.
            x = result.steps[mask]
            axes.plot(x, row + 0.24 + _spread(x), marker, color=color, ms=5,
                      label=once(label, x.size))  # fmt: skip
        axes.plot([result.low, result.high], [row, row], color=BLUE, lw=2.5,
                  label=once("interquartile mean, 95 % interval"))  # fmt: skip
        axes.plot(result.iqm, row, "o", color=BLUE, ms=7)
        mine = [steps for steps in own.get(result.name, ()) if steps is not None]
        lost = len(own.get(result.name, ())) - len(mine)
        axes.plot(mine, [row] * len(mine), "D", mfc="none", mec="black", ms=8,
                  label=once("yours", len(mine)))  # fmt: skip
        axes.plot([study.budget] * lost, row + _spread(np.zeros(lost)), "x", color="black", ms=9,
                  mew=2, label=once("yours, not solved", lost))  # fmt: skip
        axes.text(1.01, row, f"{int(solved.sum())} of {len(solved)}", va="center", fontsize=9,
                  transform=axes.get_yaxis_transform())  # fmt: skip
    axes.text(1.01, -1, "solved", va="center", fontsize=9, transform=axes.get_yaxis_transform())
    axes.set_yticks(range(len(study.results)), [result.title for result in study.results])
    axes.set_ylim(len(study.results) - 0.4, -0.6)
    axes.set_xlim(0, 1.03 * max(study.budget, *(s for e in own.values() for s in e if s), 1))
    axes.xaxis.set_major_formatter(_thousands)
    _label(axes, f"environment steps until solved, at most {study.budget:,}", "", "")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def scaling(measured: Scaling, minibatch: int = 1024) -> Figure:
    """What a step costs: against the number of environments, and against the networks' width.

    Args:
        measured: ``scaling.scaling()``.
        minibatch: the size, a key of the update times, for which the widths are shaded at which
            a gradient step has less arithmetic than other costs.
    """
    figure = _figure(7.6, 4.0)
    left, right = figure.subplots(1, 2)
    n, width = measured.num_envs, measured.widths
    left.plot(n, measured.environment_us, color=BLUE, lw=2, label="environment")
    for device, color, style in ((measured.cpu, VERMILION, "--"), (measured.gpu, GREEN, "-.")):
        if device is None:
            continue
        left.plot(n, device.policy, color=color, ls=style, lw=2, label=f"policy, {device.name}")
        for (size, times), marker in zip(device.update.items(), "so^v", strict=False):
            label = f"minibatches of {size:,}, {device.name}"
            right.plot(width, times, color=color, ls=style, marker=marker, ms=5, label=label)
    on_paper = np.full(len(n), measured.policy_on_paper)
    for axes, x, y in ((left, n, on_paper), (right, width, measured.update_on_paper)):
        axes.plot(x, y, color="black", ls=":", lw=1.6, label="arithmetic on paper")
    crossing = measured.crossing(minibatch)
    if np.isfinite(crossing):
        right.axvspan(width[0], crossing, color=GRAY, alpha=0.15, lw=0)
        for x, align, text in (
            (crossing * 0.94, "right", f"up to width {crossing:.0f}:\nmore overhead"),
            (
                crossing * 1.06,
                "left",
                f"from there:\nmore arithmetic\n(minibatches of {minibatch:,})",
            ),
        ):
            right.text(x, 0.99, text, ha=align, va="top", fontsize=8,
                       transform=right.get_xaxis_transform())  # fmt: skip
    if measured.gpu is None:
        right.text(0.99, 0.02, "no GPU where this was measured", ha="right", fontsize=8,
                   color=GRAY, transform=right.transAxes)  # fmt: skip
    for axes, ticks, x, title in (
        (left, n, f"environments side by side (width {measured.hidden})", "Playing, per step"),
        (right, width, "units in a hidden layer", "Learning, per sample and epoch"),
    ):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(ticks[:: 2 if len(ticks) > 7 else 1])
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        _label(axes, x, "microseconds", title)
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.18))
    right.set_ylim(top=right.get_ylim()[1] * 6)  # room for the two texts
    return figure


class _Once:
    """A label the first time something is drawn under it, None after that."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, label: str, drawn: int = 1) -> str | None:
        if not drawn or label in self.seen:
            return None
        self.seen.add(label)
        return label


def _spread(x: np.ndarray) -> np.ndarray:
    """Small offsets for points at the same place, 0 for one alone; [n] -> [n]."""
    offsets = np.zeros(len(x))
    for value in np.unique(x):
        here = np.flatnonzero(x == value)
        offsets[here] = 0.07 * (np.arange(len(here)) - (len(here) - 1) / 2)
    return offsets


def _figure(width: float, height: float) -> Figure:
    # Figure, not pyplot: nothing stays open, and nothing is shown twice.
    return Figure(figsize=(width, height), layout="constrained")


def _thousands(value: float, _position: object = None) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"


def _label(axes: Axes, x: str, y: str, title: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if title:
        axes.set_title(title, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)


def _flat(values: ArrayLike) -> np.ndarray:
    if hasattr(values, "detach"):  # a tensor, perhaps with a graph
        values = values.detach().cpu()
    return np.asarray(values, dtype=float).reshape(-1)


def _same_length(**arrays: ArrayLike) -> list[np.ndarray]:
    flat = [_flat(values) for values in arrays.values()]
    if len({values.size for values in flat}) > 1:
        sizes = ", ".join(f"{n} {v.size}" for n, v in zip(arrays, flat, strict=True))
        raise ValueError(f"these must have the same number of entries: {sizes}")
    return flat


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """[first, last) of each stretch of true entries."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
