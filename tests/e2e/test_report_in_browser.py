"""The class report in a real Chromium: nothing runs or is fetched; light, dark, and on paper."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta

import mini
import pytest
from lab_browser import ARTIFACTS
from synthetic import Made, make, right, wrong

from autograde import excerpts
from autograde.course import Course

DUE = datetime(2026, 5, 31, 22)
# Each sets window.ran or fetches something, in the ways that markup, attributes and styles have.
ATTACKS = (
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<svg onload=window.ran=1>",
    "</pre></code></details><iframe srcdoc='<script>parent.ran = 1</script>'></iframe>",
    "</style></title><script>window.ran = 1</script>",
    '" autofocus onfocus="window.ran = 1" x="',
    "<link rel=stylesheet href=http://203.0.113.1/a.css><img src=http://203.0.113.1/a.png>",
    "<style>body{display:none;background:url(http://203.0.113.1/b.png)}</style>",
    "<meta http-equiv=refresh content='0;url=http://203.0.113.1/'><base href=http://203.0.113.1/>",
    "javascript:window.ran=1",
    "\u202e\u2066evil\u2069\u200b",
    "{{ 7 * 7 }}{% raw %}",
    "a" * 3_000,
    "Z\u0310\u0353" * 200,
)


@pytest.fixture(scope="module")
def class_report(tmp_path_factory):
    """A class whose ids, code, messages and reasons are attacks, and its report."""
    folder = mini.make_course(tmp_path_factory.mktemp("course"))
    course = Course(folder)
    (folder / "autograde").mkdir(exist_ok=True)
    (folder / "autograde/duedates.csv").write_text(f"lab,due\n{mini.LAB},{DUE.isoformat()}\n")
    students = []
    for number, attack in enumerate(ATTACKS):
        filler = "".join(f"    x = x + {i}  # {attack}\n" for i in range(15))
        code = f'def square(x):\n{filler}    return """{attack}""" * {number // 2}\n'
        failed = wrong(2, f"mistake_{number}", message=f"not right yet.\n\n  got {attack}")
        # Not the attack itself: the page takes people's ids out of the code that it shows.
        name = f"i{number} " + attack.replace("/", "|")[:60]
        more = {"received": DUE - timedelta(hours=5 * number - 9), "seconds": 1.0 + number}
        students += [
            Made(name, {"square": failed, "hypotenuse": right(3)}, {"square": code}, **more),
            Made(f"x{name}", {"square": failed, "hypotenuse": wrong(3, None)},
                 {"square": code}, {"why_positive": 1.0}, **more),
            Made(f"r{name}", status="refused", reason=f"found {attack}", seconds=0),
            Made(f"e{name}", status="error", reason=f"InternalError: {attack}"),
        ]  # fmt: skip
    make(course, mini.LAB, students)
    # As an instructor types it; the rest of the file needs only the page.
    done = subprocess.run(
        [sys.executable, "-m", "autograde", "report", mini.LAB],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout and "\u202e" not in done.stdout
    return course, course.reports / mini.LAB / "report.html"


@pytest.mark.browser
@pytest.mark.parametrize("policy", ["with", "without"])
def test_no_script_runs_and_nothing_is_fetched(class_report, chromium, policy):
    """Also without the page's own policy: escaping alone has to do."""
    _, path = class_report
    requests, trouble = [], []
    context = chromium.new_context(bypass_csp=policy == "without")
    page = context.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: (trouble.append("dialog"), dialog.dismiss()))
    page.goto(path.as_uri())
    page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
    for element in page.locator("summary, nav a").all()[:20]:
        element.focus()
    page.wait_for_timeout(300)
    assert page.evaluate("() => window.ran") is None
    assert requests == [path.as_uri()] and trouble == []
    active = "script, iframe, object, embed, link, base, form, img, meta[http-equiv=refresh]"
    assert page.locator(active).count() == 0
    # All of it stands there to be read.
    code = "\n".join(page.locator("pre:not(.message)").all_inner_texts())
    messages = "\n".join(page.locator("pre.message").all_inner_texts())
    for attack in map(excerpts.visible, ATTACKS[:-2]):
        assert f"# {attack}" in code and f"got {attack}" in messages
    # What the page says of itself, in the same browser.
    names = page.locator("svg[role=img]").evaluate_all(
        "all => all.map(s => s.querySelector('title').textContent)"
    )
    assert names == [
        "Points", "Exercises", "Misconceptions", "When it was handed in",
        "How long the kernels ran",
    ]  # fmt: skip
    missing = page.locator("nav a").evaluate_all(
        "all => all.filter(a => !document.querySelector(a.getAttribute('href'))).length"
    )
    assert missing == 0


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d');
  const light = (color) => {
    canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
    const part = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (!color.includes(', 0)')) return color;
    }
    return 'white';
  };
  let worst = 99, where = '';
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length || e.closest('.heat, desc, title')) continue;
    const svg = e.closest('svg');
    const color = svg ? getComputedStyle(e).fill : getComputedStyle(e).color;
    const [a, b] = [light(color), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst) [worst, where] = [ratio, `${e.tagName} ${e.className} ${color}`];
  }
  return [worst, where];
}"""


@pytest.mark.browser
def test_light_dark_narrow_and_paper(class_report, chromium):
    _, path = class_report
    for scheme, width in (("light", 1100), ("dark", 1100), ("dark", 390)):
        context = chromium.new_context(
            viewport={"width": width, "height": 1400}, color_scheme=scheme
        )
        page = context.new_page()
        page.goto(path.as_uri())
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"report_{scheme}_{width}.png")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        worst, where = page.evaluate(CONTRAST)
        assert worst >= 4.5, f"{scheme}: contrast {worst:.2f} of {where}"
        dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert (dark != "rgb(246, 247, 249)") == (scheme == "dark")
    # Paper: white whatever the scheme, and folded parts are printed.
    page.emulate_media(media="print")
    assert (
        page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert page.locator("nav").is_hidden()
    folded = page.locator("details:not([open]) pre").first
    assert folded.evaluate("e => e.getBoundingClientRect().height") > 10


def test_plain_nbgrader_exports_the_same_grades(class_report, tmp_path):
    course, path = class_report
    done = subprocess.run(
        [
            sys.executable, "-m", "nbgrader", "export", "--to", str(tmp_path / "grades.csv"),
            "--exporter", "autograde.exports.LMSExporter",
        ],
        cwd=course.root, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "grades.csv").read_bytes() == path.with_name("grades.csv").read_bytes()
