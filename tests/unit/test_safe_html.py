"""What a student writes must not become script in a page that others open."""

from __future__ import annotations

import re

import pytest
from nbconvert.filters import markdown2html

from autograde.preprocessors import safe_markdown

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt&colon;alert(1))",
    '<a href=" javascript:alert(1)">x</a>',
    "<svg/onload=alert(1)>",
    "<iframe src=https://example.org></iframe>",
    "<style>body{display:none}</style>",
    "`x`<img src=x onerror=alert(1)>`",
    "```\n<script>alert(1)</script>",
    "~~~\n~~~\n\n<script>alert(1)</script>",
    "<div>\n\n<script>alert(1)</script>\n\n</div>",
    "</div><script>alert(1)</script>",
    "$<script>alert(1)</script>$",
    "$$\n<img src=x onerror=alert(1)>\n$$",
    "\\begin{equation}<script>alert(1)</script>\\end{equation}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)",
    "<details ontoggle=alert(1) open>x</details>",
    "<form action=https://example.org><input name=a></form>",
    "![x](https://example.org/pixel.png)",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<<script>script>alert(1)</script>",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "<!-- --><script>alert(1)</script><!-- -->",
    "[x]: https://example.org\n\n[<img src=x onerror=alert(1)>][x]",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_rendered_twice_nothing_is_left_that_runs(attack):
    page = markdown2html(safe_markdown(attack))
    tags = re.findall(r"<\s*/?\s*([a-zA-Z]+)([^>]*)>", page)
    for name, attributes in tags:
        assert name.lower() not in ("script", "iframe", "style", "svg", "form", "input", "math")
        assert not re.search(r"\bon\w+\s*=|javascript|example\.org/pixel", attributes, re.I), page


def test_what_is_harmless_still_reads_as_written():
    text = (
        "**bold** and `a < b`\n\n- one\n- two\n\n$x^2 < 3$\n\n```python\nif a < b:\n    pass\n```"
    )
    page = markdown2html(safe_markdown(text))
    for part in ("<strong>bold</strong>", "<code>a &lt; b</code>", "<li>one</li>", "$x^2"):
        assert part in page
    shown = re.sub(r"<[^>]+>", "", page).replace("&#10;", "\n")
    assert "if a &lt; b:\n    pass" in shown
