"""The pages made of submissions, in Chromium: what students and instructors open runs nothing."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import pytest
from lab_browser import ARTIFACTS, PATIENCE, ROOT, Server
from nbgrader.api import Gradebook

from autograde import demo
from autograde.course import COURSE_ID, Course

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

LAB = demo.LAB
# What a person grades, and an exercise that ann has right and one that she has wrong.
QUESTION, RIGHT, WRONG = "why_reuse", "linear_schedule", "clipped_surrogate_loss"
COMMENT = "Right about the ratio, $r_t$. You wrote <img src=x onerror=ran('comment')>: why?"


# --- the attacks -------------------------------------------------------------------------------


def markup(name: str, outside: str) -> str:
    """HTML that runs a script or calls a server, in many ways; `outside` is that server's URL."""
    run = f"ran('{name}')"
    return f"""\
<script>{run}</script>
<script src="{outside}/{name}.js"></script>
<img src="{outside}/{name}.png" onerror="{run}"><img src=x onerror="{run}">
<svg onload="{run}"><script>{run}</script><animate onbegin="{run}" attributeName=x dur=1s /></svg>
<iframe srcdoc="<script>parent.{run}</script>"></iframe><iframe src="{outside}/{name}"></iframe>
<link rel="stylesheet" href="{outside}/{name}.css">
<link rel="preload" as="image" href="{outside}/p">
<style>@import url({outside}/i.css); body {{ background: url({outside}/b.png) }}</style>
<div style="background: url({outside}/d.png); position: fixed; inset: 0; z-index: 9">{name}</div>
<form action="{outside}/form" id="f"><input name="a" autofocus onfocus="{run}"></form>
<object data="{outside}/o"></object><embed src="{outside}/e"><base href="{outside}/">
<video src="{outside}/v" poster="{outside}/vp"></video><audio src="{outside}/a" autoplay></audio>
<details open ontoggle="{run}"><summary>{name}</summary>x</details>
<a href="javascript:{run}" ping="{outside}/ping">{name}</a><marquee onstart="{run}">x</marquee>
<math><mtext><table><mglyph><style><img src=x onerror="{run}"></style></mglyph></table></mtext>
</math>
"""


REFRESH = '<meta http-equiv="refresh" content="0;url=%s/refresh">\n'


def markdown(name: str, outside: str) -> str:
    """Markdown, with markup in it, and formulas that MathJax would turn into links or markup."""
    run = f"ran('{name}')"
    return f"""\
**{name}** [link](javascript:{run}) [entity](JaVaScRiPt&colon;{run}) ![beacon]({outside}/{name}.png)
<{outside}/auto> [reference][r] ![attached](attachment:a.svg)

$\\href{{javascript:{run}}}{{click}}$ $\\unicode{{<img src=x onerror="{run}">}}$
$\\require{{html}} \\style{{background: url({outside}/tex.png)}}{{x}}$
$\\class{{x" onclick="{run}}}{{x}}$ $\\text{{<script>{run}</script>}}$
![$" onerror="{run}" x="$](data:image/png;base64,AAAA) <a title="$' onclick={run} '$">x</a>

$$\\begin{{array}}{{c}}<img src=x onerror="{run}">\\end{{array}}$$

```html
</code></pre><script>{run}</script>
```

| table |
|---|
| <script>{run}</script> |

{markup(name, outside)}{REFRESH % outside}
[r]: javascript:{run}
"""


# Shows whether it runs behind the wall: outside, the call would be noticed.
PROBE = """\
import socket
try:
    call = socket.create_connection(("127.0.0.1", {port}), timeout=2)
    call.sendall(b"GET /called HTTP/1.0\\r\\n\\r\\n")
except OSError:
    print("no network")
"""
OUTPUTS = """\
# </pre></div><script>ran('source')</script> <!--
'''</script><script>ran('string')</script>'''
import sys
from IPython.display import display, clear_output
evil = {evil!r}
for mime in {mimes!r}:
    data = {{"a": evil}} if mime.endswith("json") else evil
    extra = {{"isolated": True, "width": '1" onload="ran(1)', "alt": evil, "unconfined": True}}
    display({{mime: data}}, raw=True, metadata={{mime: extra}})
    display({{mime: data, "text/plain": "plain"}}, raw=True, metadata=extra, display_id=evil[:9])
display({{"image/png": {png!r}, "text/html": evil}}, raw=True,
        metadata={{"image/png": {{"width": '1" onload="ran(1)', "alt": evil}}}})
display({{"text/plain": "</pre><script>ran('plain')</script>"}}, raw=True)
print("</pre><script>ran('stdout')</script>\\x1b]8;;javascript:ran(1)\\x07link\\x1b]8;;\\x07")
print("</pre><script>ran('stderr')</script>\\x1b[31m<img src=x onerror=ran(1)>", file=sys.stderr)
get_ipython().set_next_input("<script>ran(1)</script>")
kind = type("<img src=x onerror=ran('name')>", (Exception,), {{}})
raise kind("</pre><script>ran('value')</script>")
"""
MIMES = [
    "text/html", "application/javascript", "image/svg+xml", "text/markdown", "text/latex",
    "application/pdf", "text/vnd.mermaid", "image/png", "image/jpeg", "image/gif",
    "application/json", "application/geo+json", "application/vnd.jupyter.widget-view+json",
    "application/vnd.jupyter.widget-state+json", "application/vnd.plotly.v1+json",
    "application/vnd.vegalite.v5+json", "application/vnd.bokehjs_exec.v0+json",
    "application/x-unheard-of",
]  # fmt: skip
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
        "6060f80f0001040100005e0f5a0000000049454e44ae426082"
    )
).decode()
# Where a submission's text appears in its page: each of these must be there, as text.
PLACES = ["source", "string", "plain", "stdout", "stderr", "name", "value", "answer", "added"]


def hostile(material: demo.Material, outside: str) -> dict:
    """A submission that attacks whoever opens a page made of it."""
    port = int(outside.rpartition(":")[2])
    code = PROBE.format(port=port)
    code += OUTPUTS.format(evil=markup("output", outside), mimes=MIMES, png=PIXEL)
    notebook = demo.filled(
        material.lab,
        {material.names[0]: code, QUESTION: markdown("answer", outside), RIGHT: "</script>"},
    )
    evil = markup("metadata", outside)
    notebook["metadata"] = {
        "title": f"</title>{evil}",
        "kernelspec": {"name": evil, "display_name": evil, "language": evil},
        "language_info": {"name": evil, "pygments_lexer": evil, "codemirror_mode": evil},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": evil}},
    }
    svg = {"a.svg": {"image/svg+xml": f'"><script>ran("attachment")</script>{evil}'}}
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"] |= {"tags": [evil], "alt": evil, "collapsed": evil}
        cell["metadata"].setdefault("nbgrader", {})["comment"] = evil
        if number % 3 == 0 and "grade_id" not in cell["metadata"]["nbgrader"]:
            cell["id"] = f'"><script>ran("id")</script>{number}'
        if cell["cell_type"] == "code":
            data = {"text/html": evil, "application/javascript": "ran('saved')"}
            cell["outputs"] = [{"output_type": "display_data", "data": data, "metadata": {}}]
    added = {"metadata": {"raw_mimetype": "text/html"}, "source": markdown("added", outside)}
    for kind in ("markdown", "raw"):
        notebook["cells"].insert(2, {**added, "cell_type": kind, "id": kind, "attachments": svg})
    return notebook


# --- the class ---------------------------------------------------------------------------------


class Outside(http.server.BaseHTTPRequestHandler):
    """A server that nothing may call; notes who does in the server's `calls`."""

    def do_GET(self) -> None:
        self.server.calls.append(self.path)
        self.send_response(204)
        self.end_headers()

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, *arguments) -> None:
        pass


@dataclass
class Class:
    course: Course
    outside: str
    calls: list[str]

    def grade(self, *arguments: str) -> str:
        """The real command; what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "autograde", "grade", LAB, *arguments],
            cwd=self.course.root,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def marks(self, student: str) -> dict[str, tuple]:
        """{grade_id: (automatic points, points by hand, whether a person has to look)}"""
        with Gradebook(self.course.db_url, COURSE_ID) as gradebook:
            notebook = gradebook.find_submission_notebook(LAB, LAB, student)
            return {
                grade.name: (grade.auto_score, grade.manual_score, grade.needs_manual_grade)
                for grade in notebook.grades
            }

    def ids(self) -> dict[str, str]:
        """{the formgrader's id of a submission: student}, in the formgrader's order."""
        with Gradebook(self.course.db_url, COURSE_ID) as gradebook:
            found = gradebook.notebook_submissions(LAB, LAB)
            return dict(sorted((notebook.id, notebook.student.id) for notebook in found))


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course in a folder with a blank in its name, with two attackers, graded by the command."""
    course, material = demo.start_course(
        Course(ROOT), tmp_path_factory.mktemp("pages") / "a course"
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Outside)
    server.calls = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    outside = f"http://127.0.0.1:{server.server_port}"
    wrong = (ROOT / "tests" / "corpus" / LAB / WRONG / "bad_sign_flipped.py").read_text()
    answers = {
        RIGHT: f"{material.reference[RIGHT]}\n{PROBE.format(port=server.server_port)}",
        WRONG: wrong,
        QUESTION: "The ratio $\\frac{\\pi_\\theta}{\\pi_{old}}$ **corrects** for it.",
    }
    handed_in = {
        "ann": (f"{LAB}.ipynb", demo.filled(material.lab, answers)),
        "eve": ("x\"><img src=x onerror=ran('file')>.ipynb", hostile(material, outside)),
        "mallory": ("<img src=x onerror=ran('refused')>.txt", {}),
    }
    for student, (name, notebook) in handed_in.items():
        path = course.submission_dir(student, LAB) / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook))
    found = Class(course, outside, server.calls)
    found.grade()
    yield found
    server.shutdown()
    server.server_close()


# --- the browser -------------------------------------------------------------------------------


@dataclass
class Watched:
    """A page and everything that a script of a submission could do that shows.

    `allowed` begins the addresses that the page may ask for.
    """

    page: object
    allowed: str
    trouble: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        page, note = self.page, self.trouble.append
        page.set_default_timeout(PATIENCE)
        page.expose_function("ran", lambda name="": note(f"script: {name}"))
        page.on("dialog", lambda dialog: (note(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda message: note(f"console: {message.text}"))
        page.on("pageerror", lambda error: note(f"uncaught: {error}"))
        page.on("popup", lambda popup: note(f"popup: {popup.url}"))
        page.on("download", lambda download: note(f"download: {download.url}"))
        page.on("websocket", lambda socket: note(f"websocket: {socket.url}"))
        page.on("worker", lambda worker: note(f"worker: {worker.url}"))
        page.on("request", self._request)

    def _request(self, request) -> None:
        if not request.url.startswith((self.allowed, "data:", "about:")):
            self.trouble.append(f"request: {request.url}")

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.page.wait_for_load_state("networkidle")

    def screenshot(self, name: str, element: str = "") -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        if element:
            self.page.locator(element).first.scroll_into_view_if_needed()
        self.page.screenshot(path=ARTIFACTS / f"{name}.png")


@contextlib.contextmanager
def watched(chromium, allowed: str):
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    try:
        yield Watched(context.new_page(), allowed)
    finally:
        context.close()


# What must not be in a part of a page: elements and attributes that run or load something.
FORBIDDEN = """
(root) => {
  const bad = [];
  const tags = 'script,iframe,frame,object,embed,form,link,base,style,video,audio,math,' +
    'meta[http-equiv],animate,marquee,svg svg,svg > :not(path)';
  for (const node of root.querySelectorAll(tags)) bad.push(node.outerHTML.slice(0, 200));
  for (const node of root.querySelectorAll('*'))
    for (const {name, value} of node.attributes) {
      const link = name === 'href' && !/^(https?:|#)/.test(value);
      const source = name === 'src' && !/^data:image\\/(png|jpeg|gif);base64,/.test(value);
      const style = name === 'style' && /url|position|import/i.test(value);
      const id = name === 'id' && /[<>"]/.test(value);
      if (/^on/.test(name) || link || source || style || id || /^(srcset|ping|action)$/.test(name))
        bad.push(`${node.tagName} ${name}=${value}`);
    }
  return bad;
}
"""


def test_the_watch_notices_what_the_attacks_do(chromium, graded, tmp_path):
    """Otherwise the tests below would pass whatever the pages do."""
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><title>x</title><body>{markup('naked', graded.outside)}")
    with watched(chromium, page.as_uri()) as watch:
        watch.open(page.as_uri())
        watch.page.evaluate("alert('x')")
        watch.page.evaluate("console.log('x')")
        seen = "\n".join(watch.trouble)
        assert len(watch.page.evaluate(FORBIDDEN, watch.page.query_selector("body"))) > 20
    for trouble in ("script: naked", "dialog: x", "console: x", f"request: {graded.outside}/"):
        assert trouble in seen
    assert len(graded.calls) > 5
    graded.calls.clear()


def test_feedback_runs_nothing_and_says_everything(chromium, graded):
    """Marks, messages and formulas are there; nothing runs, nothing is loaded, no hidden test."""
    course = graded.course
    for student in ("ann", "eve", "mallory"):
        url = course.feedback_path(student, LAB).as_uri()
        with watched(chromium, url) as watch:
            watch.open(url)
            page = watch.page
            for summary in page.locator("summary").all():
                summary.evaluate("(node) => { node.parentElement.open = true; }")
            text = page.locator("body").inner_text()
            assert page.evaluate(FORBIDDEN, page.query_selector("body")) == []
            assert page.locator("script").count() == 0
            assert "HIDDEN TESTS" not in text and "hidden_test(" not in text
            for scheme in ("dark", "light"):
                page.emulate_media(color_scheme=scheme)
                watch.screenshot(f"feedback_{student}_{scheme}")
                check_contrast(page)
            if student == "ann":
                check_anns_page(watch, text)
            elif student == "eve":
                for place in PLACES:
                    assert f"ran('{place}')" in text, place
                assert "no network" in text
                assert "x\"><img src=x onerror=ran('file')>.ipynb" in text
                page.get_by_text("no network", exact=True).scroll_into_view_if_needed()
                watch.screenshot("feedback_eve_outputs")
            else:
                assert "Not graded" in text and "<img src=x onerror=ran('refused')>.txt" in text
            assert watch.trouble == []
    assert graded.calls == []


def check_anns_page(watch: Watched, text: str) -> None:
    """Marks, messages and formulas, for her to read."""
    rows = [row.inner_text().split("\t") for row in watch.page.locator(".summary tbody tr").all()]
    table = {row[0]: row[1:] for row in rows}
    assert table[RIGHT] == ["2 of 2", "full marks"]
    assert table[WRONG][0].startswith("0") and table["approx_kl"] == ["0 of 4", "no points"]
    assert table[QUESTION] == ["0 of 4", "not graded yet"]
    assert f"{LAB}\n" in text and "of 44 points" in text
    message = watch.page.get_by_text("Hidden test: 0 of 8 points.").first
    assert "sign" in message.inner_text()
    # Formulas, hers and the lab's, are drawn: of a size, with a name, on the line.
    formula = watch.page.get_by_role("img", name="\\frac{\\pi_\\theta}{\\pi_{old}}")
    box = formula.bounding_box()
    assert 10 < box["width"] < 60 and 15 < box["height"] < 50
    assert watch.page.locator("svg.formula").count() > 50
    assert "$" not in watch.page.locator(".text_cell_render").first.inner_text()
    for scheme in ("dark", "light"):
        watch.page.emulate_media(color_scheme=scheme)
        for place, part in {"answer": formula, "message": message}.items():
            part.scroll_into_view_if_needed()
            watch.screenshot(f"feedback_{place}_{scheme}")
        watch.screenshot(f"feedback_formulas_{scheme}", ".formula-line")


CONTRAST = """
() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const luminance = (color) => {
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255).map(
      (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if (!/^rgba\\(.*, 0\\)$|^transparent$/.test(color)) return color;
    }
    return '#fff';
  };
  const faint = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility()) continue;
    const [a, b] = [getComputedStyle(node).color, ground(node)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint[`${node.tagName}.${node.className}`] = ratio;
  }
  return faint;
}
"""


def check_contrast(page) -> None:
    """Every word stands out from what is behind it (WCAG 1.4.3)."""
    assert page.evaluate(CONTRAST) == {}


def test_formgrader(chromium, graded, tmp_path):
    """Grading by hand: hostile pages stay quiet, points and a comment are saved and kept."""
    before = graded.marks("ann")
    assert before[QUESTION] == (None, None, True)
    server = Server(tmp_path, serve=graded.course.root)
    try:
        with watched(chromium, server.url) as watch:
            watch.open(f"{server.url}formgrader?token={server.token}")
            watch.open(f"{server.url}formgrader/manage_submissions/{LAB}")
            rows = watch.page.locator("#main-table tr")
            rows.filter(has_text="mallory").wait_for()
            assert rows.count() == 3
            assert "needs manual grading" in rows.filter(has_text="ann").inner_text()
            watch.screenshot("formgrader_list")
            order = list(graded.ids())
            for number, (key, student) in enumerate(graded.ids().items()):
                watch.open(f"{server.url}formgrader/submissions/{key}/?index=0")
                look_at_submission(watch, number, student)
            grade_by_hand(watch, server, graded, order)
            press_autograde(watch, server, graded, before)
            assert watch.trouble == [], server.log
    finally:
        server.stop()

    # The command again: nothing is run, the mark stays, the comment reaches the student.
    table = graded.grade()
    (line,) = [line for line in table.splitlines() if " ann " in line]
    assert "3.5" in line
    assert graded.marks("ann")[QUESTION] == (None, 3.5, False)
    url = graded.course.feedback_path("ann", LAB).as_uri()
    with watched(chromium, url) as watch:
        watch.open(url)
        rows = {row.inner_text() for row in watch.page.locator(".summary tbody tr").all()}
        assert f"{QUESTION}\t3.5 of 4\tin part, comment" in rows
        footer = watch.page.locator(".panel-footer").filter(has_text="Right about the ratio")
        assert "why?" in footer.inner_text() and footer.get_by_role("img").count() == 1
        assert watch.page.evaluate(FORBIDDEN, watch.page.query_selector("body")) == []
        footer.scroll_into_view_if_needed()
        watch.screenshot("feedback_comment")
        assert watch.trouble == []
    assert graded.calls == []


def look_at_submission(watch: Watched, number: int, student: str) -> None:
    """The formgrader's own scripts ran, without a network; the submission's did not."""
    page = watch.page
    page.wait_for_function("() => window.formgrader?.loaded && formgrader.comments.loaded")
    assert f"Submission {number + 1} / 3" in page.locator(".panel-title").inner_text()
    notebook = page.locator("#notebook-container").first
    assert page.evaluate(FORBIDDEN, notebook.element_handle()) == []
    assert notebook.locator(f"#{QUESTION}").count() == 1
    assert notebook.locator("svg.formula").count() > 50
    if student == "eve":
        text = notebook.inner_text()
        for place in PLACES:
            assert f"ran('{place}')" in text, place
    assert [line for line in watch.trouble if "script:" in line] == []
    watch.screenshot(f"formgrader_{student}", f"#{QUESTION}")


def grade_by_hand(watch: Watched, server: Server, graded: Class, order: list[str]) -> None:
    """Find ann's answer, type points and a comment, and go on to the next submission."""
    page = watch.page
    key = next(key for key, student in graded.ids().items() if student == "ann")
    watch.open(f"{server.url}formgrader/submissions/{key}/")
    page.wait_for_function("() => window.formgrader?.loaded && formgrader.comments.loaded")
    points = page.locator(f"#{QUESTION}")
    points.fill("3.5")
    with page.expect_response(lambda r: "/api/grade/" in r.url and r.request.method == "PUT"):
        page.keyboard.press("Tab")
    assert graded.marks("ann")[QUESTION] == (None, 3.5, False)
    comment = page.locator(f"#{QUESTION}-comment")
    comment.fill(COMMENT)
    with page.expect_response(lambda r: "/api/comment/" in r.url and r.request.method == "PUT"):
        page.keyboard.press("Tab")
    with Gradebook(graded.course.db_url, COURSE_ID) as gradebook:
        assert gradebook.find_comment(QUESTION, LAB, LAB, "ann").comment == COMMENT
    comment.focus()
    watch.screenshot("formgrader_graded", f"#{QUESTION}")

    # Ctrl+. goes to the same box of the next submission, and from the last one to the list.
    points.focus()
    place = page.evaluate("() => formgrader.current_index")
    page.keyboard.press("Control+.")
    following = order[order.index(key) + 1 :]
    if following:
        page.wait_for_url(f"**/submissions/{following[0]}/?index={place}")
        page.wait_for_function(f"() => document.activeElement?.id === '{QUESTION}'")
    else:
        page.wait_for_url(f"**/gradebook/{LAB}/{LAB}*")


def press_autograde(watch: Watched, server: Server, graded: Class, before: dict) -> None:
    """The formgrader's button: the same marks by the same path, and the mark by hand stays."""
    page = watch.page
    path = graded.course.autograded_path("ann", LAB)
    path.write_text(path.read_text().replace("no network", "to be written anew"))
    watch.open(f"{server.url}formgrader/manage_submissions/{LAB}")
    row = page.locator("#main-table tr").filter(has_text="ann")
    row.locator(".autograde a").click()
    modal = page.locator(".modal.in").filter(has_text="for student 'ann'")
    modal.wait_for()
    assert "Successfully autograded" in modal.inner_text(), modal.inner_text()
    modal.get_by_role("button", name="OK").click()
    modal.wait_for(state="detached")
    assert graded.marks("ann") == {**before, QUESTION: (None, 3.5, False)}
    assert "no network" in path.read_text()
    watch.screenshot("formgrader_autograded")
