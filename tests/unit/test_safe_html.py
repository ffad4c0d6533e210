"""What a student writes must not become script in a page that others open."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from nbconvert.filters import markdown2html

from autograde.preprocessors import TAGS, safe_markdown

# The attributes of a formula's picture.
DRAWN = {"class", "role", "aria-label", "fill", "overflow", "style", "viewbox", "d"}
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
    # Formulas are drawn, so their text must not become part of a tag on the way.
    "$\\text{<script>alert(1)</script>}$",
    "$\\href{javascript:alert(1)}{x}$ and $\\unicode{<img src=x onerror=alert(1)>}$",
    '![$" onerror=alert(1) x="$](data:image/png;base64,AAAA)',
    "![$' onerror=alert(1) x='$](data:image/png;base64,AAAA)",
    """<a title="$' onclick=alert(1)$">x</a>""",
    """<a title='$" onclick=alert(1)$'>x</a>""",
    "<img alt=$x$ src=x onerror=alert(1)>",
    '<a title="$x" href=https://e.org>$ onclick=alert(1)</a>',
    "$x$<img src=x onerror=$y$>",
    "formula-0-0- $x$ formula-0123456789abcdef-0-",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_rendered_twice_nothing_is_left_that_runs(attack):
    page = markdown2html(safe_markdown(attack))
    for tag in BeautifulSoup(page, "html.parser").find_all(True):
        if tag.name in ("svg", "path"):  # ours
            assert set(tag.attrs) <= DRAWN, page
            assert tag.name == "svg" or re.fullmatch(r"[mlqcz\d -]*", tag["d"])
            assert not re.search(r"url|;;|[<>]", tag.get("style", ""))
            continue
        assert tag.name in TAGS, page
        for name, value in tag.attrs.items():
            assert not name.startswith("on"), page
            assert name in ("class", "title", "alt", "href", "src"), page
            assert name in ("title", "alt") or "javascript" not in str(value).lower(), page
            assert "example.org/pixel" not in value, page


def test_what_is_harmless_still_reads_as_written():
    text = (
        "**bold** and `a < b`\n\n- one\n- two\n\n$x^2 < 3$\n\n```python\nif a < b:\n    pass\n```"
    )
    page = markdown2html(safe_markdown(text))
    formula = 'aria-label="x^2 &lt; 3"'
    for part in ("<strong>bold</strong>", "<code>a &lt; b</code>", "<li>one</li>", formula):
        assert part in page
    shown = re.sub(r"<[^>]+>", "", page).replace("&#10;", "\n")
    assert "if a &lt; b:\n    pass" in shown


def test_a_picture_pasted_into_an_answer_is_left_out_and_stops_nothing():
    page = markdown2html(safe_markdown("before ![my sketch](attachment:a-b.png) after"))
    assert BeautifulSoup(page, "html.parser").get_text().split() == ["before", "after"]
    assert 'alt="my sketch"' in page and "attachment" not in page


@pytest.mark.parametrize(
    "source", ["> " * 4000 + "x", "<b>" * 3000, "- " * 4000, "[" * 5000, "*" * 9000]
)
def test_text_that_a_parser_stumbles_over_is_shown(source):
    page = markdown2html(safe_markdown(source))
    assert page.count("<b>") == page.count("</b>") and len(page) > 10


def test_a_failure_of_the_renderer_shows_the_text_as_it_is(monkeypatch):
    monkeypatch.setattr("autograde.preprocessors._rendered", lambda source: 1 / 0)
    safe_markdown.cache_clear()
    assert safe_markdown("<b>a\nb</b>") == "<pre>&lt;b&gt;a&#10;b&lt;/b&gt;</pre>"
    safe_markdown.cache_clear()
