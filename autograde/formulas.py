"""Formulas as pictures drawn here, so that a page of a submission needs no script to show them.

The pages' templates would load MathJax from another machine: a script in a page full of other
people's text, which tells that machine who reads it, and is missing where there is no network.
Matplotlib's mathtext reads most of TeX's mathematics; what it cannot read stays as it was typed.
"""

from __future__ import annotations

import functools
import html
import math
import re

# Of one formula: characters, and width in times the height of a line.
MAX_CHARACTERS, MAX_WIDTH = 1_000, 150
UNITS = 1_000  # per em, in the drawing
# The letters stand beside a page's text, which is larger for its size than STIX.
SCALE = 1.15

# TeX that mathtext knows by another name, or not at all and can do without.
SPELLINGS = [
    (re.compile(r"\\[bB]igg?[lrm]?(?![A-Za-z])"), ""),
    (re.compile(r"\\(le|ge|ne)(?![A-Za-z])"), r"\\\1q"),
    (re.compile(r"\\(?:l|r)vert(?![A-Za-z])"), r"|"),
    (re.compile(r"\\(mathbb|mathcal|mathbf|mathrm|hat|bar|tilde) ([A-Za-z0-9])"), r"\\\1{\2}"),
    (re.compile(r"\\operatorname\*"), r"\\operatorname"),
    (re.compile(r"\\tfrac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\(d?frac)(\d)(\d)"), r"\\\1{\2}{\3}"),
    (re.compile(r"\\iff(?![A-Za-z])"), r"\\Leftrightarrow"),
    # Pulls what follows over what stands before it, where mathtext leaves no room anyway.
    (re.compile(r"\\!"), ""),
    (re.compile(r"\\(?:nonumber|notag|displaystyle|limits)(?![A-Za-z])"), ""),
]
# Environments that are lines of formulas below each other; others are shown as typed.
LINES = {"align", "aligned", "equation", "gather", "gathered", "split"}


@functools.lru_cache(maxsize=4096)
def drawn(tex: str, display: bool = False) -> str:
    """HTML that shows a formula, given as TeX without its dollar signs.

    An inline SVG in the color of the text, labeled with the TeX; the TeX itself where it cannot
    be drawn. What comes out holds no markup of `tex`, whatever stands in it.
    """
    lines = _lines(tex)
    if not display and len(lines) < 2:
        return _line(lines[0], False) if lines else _as_typed(tex)
    shown = [_line(line, True) for line in lines] or [_as_typed(tex)]
    return "".join(f'<span class="formula-line">{line}</span>' for line in shown)


def _lines(tex: str) -> list[str]:
    """The formula's lines, without the environment around them."""
    found = re.fullmatch(r"\s*\\begin\{([a-z]+)\*?\}(.*)\\end\{\1\*?\}\s*", tex, re.DOTALL)
    if not found:
        return [tex]
    if found[1] not in LINES or "\\begin" in found[2]:
        return []
    return [line.replace("&", "") for line in re.split(r"\\\\", found[2]) if line.strip()]


def _line(tex: str, display: bool) -> str:
    from matplotlib.textpath import text_to_path

    try:
        return _svg(tex, display, text_to_path)
    # mathtext raises ValueError for what it cannot read, RecursionError when nested too deeply,
    # and lets through what its own code stumbles over.
    except Exception:
        return _as_typed(tex)


def _as_typed(tex: str) -> str:
    return f'<code class="formula">{html.escape(tex.strip())}</code>'


def _svg(tex: str, display: bool, text_to_path) -> str:
    """The formula on its baseline, as tall and wide as it is. ValueError if mathtext cannot."""
    from matplotlib.font_manager import FontProperties

    text = " ".join(tex.split())
    for pattern, other in SPELLINGS:
        text = pattern.sub(other, text)
    if display:  # in a line of its own there is room for fractions of full size
        text = re.sub(r"\\frac(?![A-Za-z])", r"\\dfrac", text)
    if not text or "$" in text or len(text) > MAX_CHARACTERS:
        raise ValueError(text)
    font = FontProperties(family="STIXGeneral", size=UNITS, math_fontfamily="stix")
    vertices, codes = text_to_path.get_text_path(font, f"${text}$", ismath=True)
    size = text_to_path.get_text_width_height_descent(f"${text}$", font, ismath=True)
    width, height, depth = (math.ceil(float(value)) for value in size)
    if not 0 < width <= MAX_WIDTH * UNITS or not 0 < height <= MAX_WIDTH * UNITS:
        raise ValueError(text)
    em = SCALE / UNITS
    style = (
        f"width:{width * em:.3f}em;height:{height * em:.3f}em;vertical-align:{-depth * em:.3f}em"
    )
    return (
        f'<svg class="formula" role="img" aria-label="{html.escape(" ".join(tex.split()))}" '
        f'fill="currentColor" overflow="visible" style="{style}" '
        f'viewBox="0 {depth - height} {width} {height}">'
        f'<path d="{_path(vertices, codes, UNITS / text_to_path.FONT_SCALE)}"></path></svg>'
    )


def _path(vertices, codes, scale: float) -> str:
    """A Matplotlib path as SVG path data: whole numbers, y downwards, each step from the last."""
    from matplotlib.path import Path

    letters = {Path.MOVETO: "m", Path.LINETO: "l", Path.CURVE3: "q", Path.CURVE4: "c"}
    parts: list[str] = []
    start = here = (0, 0)
    points = [(round(scale * float(x)), -round(scale * float(y))) for x, y in vertices]
    index = 0
    while index < len(codes):
        code = codes[index]
        if code == Path.CLOSEPOLY:
            parts.append("z")
            here = start
            index += 1
            continue
        count = {Path.CURVE3: 2, Path.CURVE4: 3}.get(code, 1)
        steps = [(x - here[0], y - here[1]) for x, y in points[index : index + count]]
        parts.append(letters[code] + " ".join(f"{x} {y}" for x, y in steps).replace(" -", "-"))
        here = points[index + count - 1]
        if code == Path.MOVETO:
            start = here
        index += count
    return "".join(parts)
