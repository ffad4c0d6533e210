"""Formulas become pictures in the page, quickly, and whatever stands in them stays text."""

from __future__ import annotations

import json
import re
import time

import pytest
from bs4 import BeautifulSoup

from autograde.course import Course
from autograde.formulas import MAX_CHARACTERS, drawn


def picture(html):
    """(width, height) of a formula's picture, in units; fails if it was not drawn."""
    svg = BeautifulSoup(html, "html.parser").find("svg")
    assert svg is not None, html
    _, _, width, height = svg["viewbox"].split()
    assert re.fullmatch(r"m[mlqcz\d -]+z", svg.path["d"])
    return int(width), int(height)


@pytest.mark.parametrize("lab", Course.open().labs())
def test_every_formula_of_the_labs_is_drawn(lab):
    notebook = json.loads(Course.open().release_path(lab).read_bytes())
    cells = [c for c in notebook["cells"] if c["cell_type"] == "markdown"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells)
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    found = re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", text, flags=re.DOTALL)
    assert len(found) > 20
    for display, inline in found:
        picture(drawn(display or inline, bool(display)))


@pytest.mark.parametrize(
    "tex",
    [
        r"\sum_{t=0}^{T-1} \gamma^t r_t",
        r"\mathbb E_{\tau \sim \pi_\theta}\!\left[ R(\tau) \right]",
        r"\big( x \big)^2 \le \Bigl[ y \Bigr] \ge \lvert z \rvert \ne \frac12",
        r"\operatorname*{clip}(r, 1-\epsilon, 1+\epsilon) \iff \tfrac{1}{2}",
        r"D_{\mathrm{KL}}(p\,\|\,q) = \hat A_t^{\mathrm{GAE}(\gamma,\lambda)}",
    ],
)
def test_the_spellings_of_textbooks_are_understood(tex):
    picture(drawn(tex))


def test_a_picture_is_as_large_as_its_formula():
    width, height = picture(drawn("x"))
    assert picture(drawn("xx"))[0] > 1.8 * width
    assert picture(drawn(r"\frac{x}{x}", True))[1] > 2 * height
    # Drawn to scale: the path's reach is the picture's size.
    path = BeautifulSoup(drawn("l"), "html.parser").path["d"]
    ys, y = [], 0
    for letter, numbers in re.findall(r"([mlqc])([\d -]+)", path):
        values = [int(n) for n in re.findall(r"-?\d+", numbers)]
        ys += [y + dy for dy in values[1::2]]
        y += values[-1] if letter in "mlqc" else 0
    assert 0.8 < (max(ys) - min(ys)) / picture(drawn("l"))[1] < 1.1


def test_lines_stand_below_each_other():
    html = drawn(r"\begin{align*} a &= b \\ c &= d \end{align*}", True)
    assert html.count('class="formula-line"') == html.count("<svg") == 2


@pytest.mark.parametrize(
    "tex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\unicode{<img src=x onerror=alert(1)>}",
        r"\require{html}\style{background:url(https://example.org)}{x}",
        r"\begin{cases} 1 \\ 2 \end{cases}",
        r"\text{<script>alert(1)</script>}",
        r'"><script>alert(1)</script>',
        r"' onload='alert(1)",
        r"\hspace{1000000} x",
        "x" * (MAX_CHARACTERS + 1),
        "$",
        "",
        "\x00",
    ],
)
@pytest.mark.parametrize("display", [False, True])
def test_nothing_in_a_formula_becomes_markup(tex, display):
    soup = BeautifulSoup(drawn(tex, display), "html.parser")
    allowed = {"svg", "path", "code"} | ({"span"} if display else set())
    assert {tag.name for tag in soup.find_all(True)} <= allowed
    names = {name for tag in soup.find_all(True) for name in tag.attrs}
    attributes = {"class", "role", "aria-label", "fill", "overflow", "style", "viewbox", "d"}
    assert names <= attributes
    if not soup.find("svg"):
        assert soup.get_text() == tex.strip()


@pytest.mark.parametrize(
    "tex",
    [
        "{" * 400 + "x" + "}" * 400,
        r"\frac{" * 140 + "1" + "}{2}" * 100,
        "x" + "_{x" * 200 + "}" * 200,
        r"\left(" * 90 + "x" + r"\right)" * 60,
        r"\sqrt{" * 120 + "x" + "}" * 120,
        r"\overline{" * 90 + "x" + "}" * 90,
        "x_1^2" * 199,
    ],
)
def test_no_formula_takes_long(tex):
    drawn("x")  # fonts are loaded
    started = time.process_time()
    drawn(tex[:MAX_CHARACTERS])
    assert time.process_time() - started < 3
