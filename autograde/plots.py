"""The report's figures: data in, a Matplotlib Figure out; `svg` makes one part of a page.

Colors are those of course_utils.figures (safe for color-blind readers). In the page they become
CSS variables, so that a figure follows the page from light to dark and onto paper.
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from course_utils.figures import BLUE, GRAY, ORANGE, SKY, VERMILION

# Stand-ins that no palette uses: text and axes take the page's text color, grids its line color.
INK, LINE = "#010203", "#c1c2c3"
CSS = {
    INK: "currentColor",
    LINE: "var(--line)",
    BLUE: "var(--blue)",
    SKY: "var(--sky)",
    ORANGE: "var(--orange)",
    VERMILION: "var(--vermilion)",
    GRAY: "var(--soft)",
}
STYLE = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.linewidth": 0.8,
    "text.parse_math": False,
    "svg.image_inline": True,
}
WIDTH = 8.0


def totals_histogram(values: Sequence[float], of: float) -> Figure:
    """How many students have how many points, with the median and the middle half marked.

    Args:
        values: points of each student.
        of: the maximum.
    """
    with rc_context(STYLE):
        figure, axes = _figure(2.9)
        # Bins of whole points, at most 25 of them; the last one holds those with all points.
        width = max(1.0, math.ceil(of / 25)) if of > 5 else max(of / 10, 0.1)
        edges = np.arange(0, of + width * 1.01, width)
        if values:
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            axes.axvspan(low, high, color=SKY, alpha=0.25, lw=0, label="middle half")
            clipped = np.clip(values, 0, edges[-1] - 1e-9)
            axes.hist(clipped, bins=edges, color=BLUE, rwidth=0.88, zorder=2)
            axes.axvline(
                middle, color=VERMILION, lw=2, ls="--", zorder=3, label=f"median {middle:.3g}"
            )
            axes.legend(loc="upper left", frameon=False, fontsize=9)
        axes.set_xlim(0, edges[-1])
        _counts(axes.yaxis)
        axes.set_xlabel("points")
        axes.set_ylabel("students")
        return figure


def exercise_bars(
    names: Sequence[str], pass_rates: Sequence[float], mean_shares: Sequence[float]
) -> Figure:
    """Share of students with all points, and mean share of the points, for each exercise.

    Args:
        names: of the exercises, first one on top.
        pass_rates, mean_shares: in [0, 1], or NaN where nobody has a mark.
    """
    with rc_context(STYLE):
        figure, axes = _figure(0.75 + 0.36 * max(len(names), 2))
        rows = np.arange(len(names))
        axes.barh(rows, np.nan_to_num(pass_rates), height=0.62, color=BLUE, label="all points")
        axes.plot(
            mean_shares, rows, "D", ms=7, mfc="none", mec=VERMILION, mew=2, clip_on=False,
            label="mean share of the points",
        )  # fmt: skip
        axes.set_yticks(rows, names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(axis="x", color=LINE, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=9)
        return figure


def count_bars(
    labels: Sequence[str], counts: Sequence[int], of: int, x: str = "students"
) -> Figure:
    """Counts as horizontal bars with the number at each bar's end.

    Args:
        labels: one a bar, first one on top.
        counts: as many.
        of: what would be everyone; the axis ends there if that leaves the bars readable.
        x: what is counted.
    """
    with rc_context(STYLE):
        figure, axes = _figure(0.7 + 0.34 * max(len(labels), 2))
        rows = np.arange(len(labels))
        bars = axes.barh(rows, counts, height=0.62, color=BLUE)
        axes.bar_label(bars, padding=4, color=INK)
        axes.set_yticks(rows, labels)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        most = max(counts, default=1)
        axes.set_xlim(0, max(of if most > of / 3 else most * 1.15, min(of, 5), 1))
        _counts(axes.xaxis)
        axes.set_xlabel(f"{x} (of {of})")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        return figure


def handed_in(hours_before_due: Sequence[float]) -> Figure:
    """When submissions came in, relative to the due date.

    Args:
        hours_before_due: one a submission; negative when late.
    """
    with rc_context(STYLE):
        figure, axes = _figure(2.5)
        hours = -np.asarray(hours_before_due, dtype=float)
        days = bool(hours.size) and np.ptp([*hours, 0]) > 96
        values = hours / 24 if days else hours
        if values.size:
            # A few that came much too early must not squeeze the others into one bar.
            low = max(values.min(), np.quantile(values, 0.02) - (14 if days else 48))
            span = max(values.max(), 0) - min(low, 0)
            width = max(1.0, math.ceil(span / 40))
            before, after = math.ceil(-min(low, 0) / width), math.ceil(max(values.max(), 0) / width)
            edges = width * np.arange(-max(before, 1), after + 1)
            # Handed in to the second is in time: left of the line.
            shifted = np.where(values <= 0, values - 1e-9, values)
            _, _, bars = axes.hist(
                np.clip(shifted, edges[0], edges[-1]), bins=edges, color=BLUE, rwidth=0.88
            )
            for bar, left in zip(bars, edges, strict=False):
                if left >= 0:
                    bar.set(facecolor=VERMILION, hatch="////", edgecolor=LINE)
        axes.axvline(0, color=INK, lw=1.2)
        axes.text(0, 1.02, "due", ha="center", transform=axes.get_xaxis_transform())
        _counts(axes.yaxis)
        axes.set_xlabel(f"{'days' if days else 'hours'} after the due date")
        axes.set_ylabel("submissions")
        return figure


def kernel_time(seconds: Sequence[float]) -> Figure:
    """How long the kernels of the submissions ran.

    Args:
        seconds: wall time, one a submission.
    """
    with rc_context(STYLE):
        figure, axes = _figure(2.3)
        if len(seconds):
            bins = min(30, max(5, len(seconds)))
            top = max(seconds) * 1.001
            axes.hist(seconds, bins=np.linspace(0, top, bins + 1), color=BLUE, rwidth=0.88)
            middle = float(np.median(seconds))
            axes.axvline(middle, color=VERMILION, lw=2, ls="--", label=f"median {middle:.3g} s")
            axes.legend(loc="upper right", frameon=False, fontsize=9)
        _counts(axes.yaxis)
        axes.set_xlim(left=0)
        axes.set_xlabel("seconds")
        axes.set_ylabel("submissions")
        return figure


def svg(figure: Figure, key: str, title: str, description: str) -> str:
    """The figure as an <svg> element with title and description, in the page's colors and font.

    Args:
        key: makes the element's ids unique in the page; letters, digits and hyphens.
        title: short name of the figure.
        description: what a reader who cannot see it needs to know.
    """
    buffer = io.StringIO()
    with rc_context({**STYLE, "svg.hashsalt": key}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].rstrip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Rules for the whole page, and names that every figure would have again.
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    for color, variable in CSS.items():
        text = re.sub(color, variable, text, flags=re.IGNORECASE)
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "var(--font)", text)
    size = re.search(r'viewBox="([^"]+)"', text)
    body = text[text.index(">") + 1 :]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{size[1]}" role="img" aria-labelledby="{key}-title {key}-desc">'
        f'<title id="{key}-title">{html.escape(title)}</title>'
        f'<desc id="{key}-desc">{html.escape(description)}</desc>{body}'
    )


def _figure(height: float):
    # Figure, not pyplot: nothing stays open.
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _counts(axis) -> None:
    """Whole numbers only, from 0 on."""
    axis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
