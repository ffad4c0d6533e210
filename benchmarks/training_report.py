"""What measured training runs show: medians, ratios with intervals, one table, one figure.

A run is a dict as `training.py` makes it: method, who, seed, solved, cpu_s, wall_s, steps, legs,
process_cpu_s, and greedy_return where the agent was evaluated.
"""

from __future__ import annotations

import math
import statistics
import sys
from typing import TYPE_CHECKING

import numpy as np
from training_methods import METHODS, NAMES, ROOT, WINDOW

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL, RESAMPLES = 0.95, 10_000


# --- numbers -------------------------------------------------------------------------------------


def ratio_of_medians(theirs: list[float], ours: list[float]) -> dict:
    """median(theirs) / median(ours) and its percentile bootstrap interval.

    The two sides are resampled independently: one seed makes the two programs draw different
    numbers, so there is nothing to pair. low and high are None with fewer than two runs a side.
    """
    found = {
        "ratio": statistics.median(theirs) / statistics.median(ours),
        "low": None,
        "high": None,
    }
    if min(len(theirs), len(ours)) >= 2:
        from scipy import stats

        interval = stats.bootstrap(
            (theirs, ours),
            lambda x, y, axis=-1: np.median(x, axis=axis) / np.median(y, axis=axis),
            confidence_level=LEVEL, n_resamples=RESAMPLES, method="percentile", vectorized=True,
            rng=np.random.default_rng(0),
        ).confidence_interval  # fmt: skip
        found.update(low=float(interval.low), high=float(interval.high))
    return found


def summarize(runs: list[dict]) -> dict:
    """Of one method: each side's medians; how many times less ours takes, in CPU and wall time.

    A run that was given up counts with the time until then, which is less than it needs. In the
    ratio that makes the peer's `at_least`; ours counts as endless there, and where the median of
    ours would be endless there is no ratio.
    """
    summary: dict = {}
    for who in NAMES:
        mine = [run for run in runs if run["who"] == who]
        if mine:
            summary[who] = {
                "runs": len(mine),
                "solved": sum(run["solved"] for run in mine),
                "cap": max(run["cap"] for run in mine),
                "cpu_range": [pick(run["cpu_s"] for run in mine) for pick in (min, max)],
                **{
                    f"median_{key}": statistics.median(run[key] for run in mine)
                    for key in ("cpu_s", "wall_s", "steps", "process_cpu_s")
                },
            }
            stops = [
                run["stop_cpu_s"]
                for run in mine
                if METHODS[run["method"]].goes_on and "stop_cpu_s" in run
            ]
            if stops:
                summary[who]["median_stop_cpu_s"] = statistics.median(stops)
            greedy = [run["greedy_return"] for run in mine if "greedy_return" in run]
            if greedy:
                summary[who]["greedy_returns"] = greedy
    if len(summary) == len(NAMES):
        for name in ("cpu", "wall"):
            theirs = [run[f"{name}_s"] for run in runs if run["who"] == "sb3"]
            ours = [
                run[f"{name}_s"] if run["solved"] else math.inf
                for run in runs
                if run["who"] == "ours"
            ]
            if math.isfinite(statistics.median(ours)):
                at_least = not all_solved(summary["sb3"])
                summary[f"{name}_ratio"] = {**ratio_of_medians(theirs, ours), "at_least": at_least}
    return summary


def all_solved(side: dict) -> bool:
    return side["solved"] == side["runs"]


def by_method(runs: list[dict]) -> dict[str, dict]:
    """The summaries of the methods that have runs, in the order of the labs."""
    there = {run["method"] for run in runs}
    return {m: summarize([r for r in runs if r["method"] == m]) for m in METHODS if m in there}


# --- text ----------------------------------------------------------------------------------------

COLUMNS = (
    "method", "who", "solved", "CPU s, median (range)", "wall s", "env steps",
    "less CPU (95 % interval)", "less wall time",
)  # fmt: skip


def said_ratio(ratio: dict | None) -> str:
    """'21.7 times (18.3 to 30.4)', or with 'at least' before it; '' for None."""
    if ratio is None:
        return ""
    bound = "at least " if ratio["at_least"] else ""
    interval = "" if ratio["low"] is None else f" ({ratio['low']:.1f} to {ratio['high']:.1f})"
    return f"{bound}{ratio['ratio']:.1f} times{interval}"


def table(summaries: dict[str, dict], markdown: bool = False) -> str:
    """One line a method and side; the ratios stand in the line of ours."""
    lines = [COLUMNS]
    for name, summary in summaries.items():
        for who in NAMES:
            if who not in summary:
                continue
            s = summary[who]
            low, high = s["cpu_range"]
            ratios = [summary.get(key) if who == "ours" else None for key in
                      ("cpu_ratio", "wall_ratio")]  # fmt: skip
            lines.append((
                METHODS[name].label, NAMES[who], f"{s['solved']} of {s['runs']}",
                f"{s['median_cpu_s']:.2f} ({low:.2f} to {high:.2f})", f"{s['median_wall_s']:.2f}",
                f"{s['median_steps']:,.0f}", *map(said_ratio, ratios),
            ))  # fmt: skip
    if markdown:
        rule = ("---", "---", *["---:"] * (len(COLUMNS) - 2))
        return "\n".join(f"| {' | '.join(cells)} |" for cells in [lines[0], rule, *lines[1:]])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            text.ljust(w) if i < 2 else text.rjust(w)
            for i, (text, w) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in lines
    )


def remarks(summaries: dict[str, dict]) -> list[str]:
    """What the table has no room for, one sentence each: caps, and the greedy episodes."""
    said = []
    for name, summary in summaries.items():
        label = METHODS[name].label
        for who in NAMES:
            s = summary.get(who)
            if s is None:
                continue
            if not all_solved(s):
                count = s["runs"] - s["solved"]
                said.append(
                    f"{label}, {NAMES[who]}: {count} of {s['runs']} not solved within "
                    f"{s['cap']:,} steps; counted with the time until then"
                    + ("" if who == "sb3" else ", in the ratio as endless")
                )
            if "median_stop_cpu_s" in s:
                said.append(
                    f"{label}, {NAMES[who]}: trained on until {METHODS[name].goes_on}; "
                    f"median {s['median_stop_cpu_s']:.2f} CPU s until then"
                )
            if "greedy_returns" in s:
                means = s["greedy_returns"]
                said.append(
                    f"{label}, {NAMES[who]}: {WINDOW} greedy episodes on unseen seeds after each "
                    f"of {len(means)} runs: mean return {min(means):.1f} in the worst, "
                    f"{statistics.median(means):.1f} in the median run"
                )
    return said


def progress(run: dict) -> str:
    """A run in one line, as it is printed while the others are still to come."""
    legs = f" in {run['legs']} legs" if run["legs"] > 1 else ""
    greedy = f", greedy {run['greedy_return']:.1f}" if "greedy_return" in run else ""
    return (
        f"{METHODS[run['method']].label}, {NAMES[run['who']]}, seed {run['seed']}: "
        f"{'solved' if run['solved'] else 'cap'} after {run['steps']:,} steps{legs}, "
        f"{run['cpu_s']:.2f} CPU s, {run['wall_s']:.2f} wall s{greedy}"
    )


# --- figure --------------------------------------------------------------------------------------


def draw(runs: list[dict]) -> Figure:
    """CPU seconds of every run, one row a method and side; what was given up is an open arrow."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from course_utils.figures import BLUE, VERMILION

    looks = {"ours": ("o", BLUE), "sb3": ("s", VERMILION)}
    summaries = by_method(runs)
    figure = Figure(figsize=(8.4, 1.3 + 0.8 * len(summaries)), layout="constrained")
    axes = figure.subplots()
    for row, (name, summary) in enumerate(summaries.items()):
        for who in (who for who in NAMES if who in summary):
            mine = [run for run in runs if run["method"] == name and run["who"] == who]
            marker, color = looks[who]
            middle = row if len(METHODS[name].sides) == 1 else row + (-0.17, 0.17)[who == "sb3"]
            # Spread a little, so that runs of equal length do not hide each other.
            heights = middle + np.linspace(-0.11, 0.11, len(mine))
            for run, height in zip(mine, heights, strict=True):
                axes.plot(
                    run["cpu_s"], height, marker if run["solved"] else ">", color=color,
                    ms=6 if run["solved"] else 8, mec=color, mew=1.2,
                    mfc=color if run["solved"] else "none", alpha=0.75,
                )  # fmt: skip
            axes.plot([summary[who]["median_cpu_s"]] * 2, [middle - 0.15, middle + 0.15], "k-")
        if "cpu_ratio" in summary:
            axes.annotate(
                said_ratio(summary["cpu_ratio"]).replace(" (", "\n("), (1.01, row),
                xycoords=("axes fraction", "data"), va="center", fontsize=9, annotation_clip=False,
            )  # fmt: skip
    axes.set_yticks(range(len(summaries)), [METHODS[name].label for name in summaries])
    axes.set_ylim(len(summaries) - 0.5, -0.5)
    for row in range(1, len(summaries)):
        axes.axhline(row - 0.5, color="0.85", lw=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter("")
    axes.grid(axis="x", color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("CPU seconds until solved, one thread (log scale)")
    axes.text(1.01, 1.02, "less CPU\n(95 % interval)", transform=axes.transAxes, fontsize=9)
    handles = [
        Line2D([], [], ls="", marker=marker, color=color, label=NAMES[who])
        for who, (marker, color) in looks.items()
        if any(run["who"] == who for run in runs)
    ]
    handles.append(Line2D([], [], color="k", ls="", marker="|", ms=10, mew=1.5, label="median"))
    if not all(run["solved"] for run in runs):
        handles.append(
            Line2D([], [], color="k", ls="", marker=">", mfc="none", ms=8, label="given up")
        )
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles),
        frameon=False, fontsize=9, handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    return figure
