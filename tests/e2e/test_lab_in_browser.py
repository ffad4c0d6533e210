"""Lab 5 in JupyterLab in Chromium, as a student meets it: untouched, with a mistake, solved."""

import copy
import json
import os
import re

import pytest
from lab_browser import ROOT, SECOND, opened, outputs, position, printed

from autograde.corpus import solved_notebook
from autograde.course import Course

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

LAB = "lab5_ppo"
EXPLORER = "clip_explorer("
TRAINING = "history = train("
REPLAY = "replay(act, "  # first with an untrained agent, then with a trained one
PLACES = {  # of the solved lab, for the screenshots
    "explorer": EXPLORER,
    "reuse": "def with_epsilon",
    "regions": "figures.six_regions(",
    "kl": "k3 = [approx_kl(",
    "training": TRAINING,
    "replay": REPLAY,
    "histogram": "figures.ratio_histogram(",
    "methods": "figures.compare_methods(",
}


def message(lab, cell):
    """What a failed check shows: its words, and nothing of the code that found them."""
    text = lab.cell(cell).locator(".jp-OutputArea-output").inner_text().strip()
    for foreign in ("Traceback", "course_utils", "CheckFailed", "visible.py", "----"):
        assert foreign not in text
    return text


def formulas(markdown):
    """(display, inline) formulas in a markdown text."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", markdown, flags=re.DOTALL)
    display = re.findall(r"\$\$.+?\$\$", text, flags=re.DOTALL)
    inline = re.findall(r"\$[^$\n]+\$", re.sub(r"\$\$.+?\$\$", "", text, flags=re.DOTALL))
    return len(display), len(inline)


def check_prose(lab):
    """Every text cell is rendered, every formula typeset, every picture there."""
    cells = [cell for cell in lab.cells() if cell["type"] == "markdown"]
    wanted = [formulas(cell["source"]) for cell in cells]
    assert sum(display for display, _ in wanted) > 1  # a lab has formulas to look at
    # Cells far down are rendered when the browser has time.
    lab.wait(
        """(cells) => cells.every(([index, display, inline]) => {
          const cell = window.course.notebook().widgets[index];
          const text = cell.node.querySelector('.jp-RenderedMarkdown');
          const typeset = text?.querySelectorAll('mjx-container').length;
          return cell.rendered && text?.textContent.trim() && typeset >= display + inline;
        })""",
        [[c["index"], *n] for c, n in zip(cells, wanted, strict=True)],
    )
    seen = lab.page.evaluate(
        """(indices) => indices.map((index) => {
          const node = window.course.notebook().widgets[index].node;
          const text = node.querySelector('.jp-RenderedMarkdown').cloneNode(true);
          text.querySelectorAll('code, mjx-container').forEach((part) => part.remove());
          return {
            text: text.textContent,
            display: node.querySelectorAll('mjx-container[display="true"]').length,
            all: node.querySelectorAll('mjx-container').length,
            errors: node.querySelectorAll('mjx-merror, [data-mjx-error]').length,
          };
        })""",
        [cell["index"] for cell in cells],
    )
    for cell, (display, inline), page in zip(cells, wanted, seen, strict=True):
        start = cell["source"][:60]
        assert page["text"].strip(), start
        assert (page["display"], page["all"]) == (display, display + inline), start
        assert page["errors"] == 0, start
        # What a formula, a table, a heading or a link looks like when it was not understood.
        assert not re.search(r"\$|\\[a-z]|^\s*\|.*\|\s*$|^#+ |\]\(", page["text"], re.M), start
    check_images(lab)


def check_images(lab):
    """No broken picture, and none without a text for those who cannot see it."""
    lab.wait("() => [...document.images].every((image) => image.complete)")
    images = lab.page.evaluate(
        "() => [...window.course.notebook().node.querySelectorAll('img')].map((image) => "
        "({alt: image.alt, width: image.naturalWidth, src: image.src.slice(0, 60)}))"
    )
    for image in images:
        assert image["width"] > 0, image
        assert len(image["alt"]) > 20, image
    return images


def drawing(lab, cell):
    """What the clip explorer shows: numbers and paths of its SVG, its sliders, its words."""
    lab.cell(cell).locator(".clip-explorer svg").wait_for()
    return lab.page.evaluate(
        """(index) => {
          const root = window.course.notebook().widgets[index].node.querySelector('.clip-explorer');
          const all = (selector, get) => [...root.querySelectorAll(selector)].map(get);
          const number = (name) => (node) => Number(node.getAttribute(name));
          return {
            flows: all('g .flows', (node) => node.getAttribute('d')),
            zero: all('g .zero', (node) => node.getAttribute('d')),
            band: all('.band', number('width')).slice(0, 2),
            height: all('.readout', number('cy')),
            zeroLine: all('.axis', number('y1'))[0],
            label: root.querySelector('svg').getAttribute('aria-label'),
            reading: root.querySelector('output').textContent,
            fact: root.querySelector('.fact')?.textContent ?? '',
          };
        }""",
        cell,
    )


def check_slider(lab):
    """Reach the epsilon slider by Tab, move it by an arrow key; only the drawing changes."""
    cell = lab.find(line=EXPLORER)
    lab.show(cell)
    before = drawing(lab, cell)
    assert before["fact"] == ""
    slider = lab.cell(cell).get_by_role("slider", name=re.compile("^epsilon"))
    assert slider.get_attribute("aria-valuetext") == "0.200"

    lab.cell(cell).locator(".clip-explorer svg").click()
    place = position(lab)
    for _ in range(10):
        lab.page.keyboard.press("Tab")
        if slider.evaluate("(node) => node === document.activeElement"):
            break
    else:
        raise AssertionError("ten times Tab from the drawing does not reach the epsilon slider")
    for presses in (1, 2):
        lab.page.keyboard.press("ArrowRight")
        lab.wait(
            """([index, text]) => window.course.notebook().widgets[index].node
              .querySelector('.clip-explorer output').textContent.includes(text)""",
            [cell, f"epsilon {0.2 + 0.025 * presses:.3f}"],
            timeout=20 * SECOND,
        )
    after = drawing(lab, cell)
    assert slider.get_attribute("aria-valuetext") == "0.250"
    assert slider.evaluate("(node) => node === document.activeElement")
    assert position(lab) == place
    # The band is as wide as epsilon says, and the corners of both curves have moved with it.
    for wide, narrow in zip(after["band"], before["band"], strict=True):
        assert wide / narrow == pytest.approx(0.25 / 0.2, rel=1e-3)
    for part in ("flows", "zero"):
        assert all(a != b for a, b in zip(after[part], before[part], strict=True))
    assert "epsilon 0.250" in after["label"]


def watch_curve(lab):
    """From now on, note every state of a live curve: cell, prompt, number of points, label."""
    lab.page.evaluate(
        """() => {
          window.course.states = [];
          const note = () => {
            for (const root of document.querySelectorAll('.live-curve')) {
              const d = root.querySelector('path.flows')?.getAttribute('d') ?? '';
              const cell = root.closest('.jp-Cell');
              const state = {
                cell: window.course.notebook().widgets.findIndex((w) => w.node === cell),
                prompt: cell?.querySelector('.jp-InputArea-prompt')?.textContent.trim(),
                points: (d.match(/[ML]/g) ?? []).length,
                label: root.querySelector('svg')?.getAttribute('aria-label') ?? '',
              };
              const last = window.course.states.at(-1);
              if (JSON.stringify(last) !== JSON.stringify(state)) window.course.states.push(state);
            }
          };
          new MutationObserver(note).observe(document.body,
            {subtree: true, childList: true, attributes: true, attributeFilter: ['d']});
        }"""
    )


def check_training(lab):
    """The curve has grown while the cell ran; one figure with a text is left of it."""
    cell = lab.find(line=TRAINING)
    states = [s for s in lab.page.evaluate("() => window.course.states") if s["cell"] == cell]
    growing = [s for s in states if s["prompt"] == "[*]:" and s["points"]]
    label = re.compile(
        r"Learning curve of PPO on CartPole-v1: mean return \d.* after (\d+) steps\."
    )
    steps = [int(label.fullmatch(s["label"])[1]) for s in growing]
    assert len(set(steps)) >= 2, states
    assert steps == sorted(steps), states

    node = lab.cell(cell)
    assert node.locator(".live-curve").count() == 0
    assert node.locator(".jp-OutputArea-child").count() == 2
    assert node.locator("img").count() == 1
    assert "kept in results/lab5_ppo" in printed(lab.cells()[cell])
    alt = node.locator("img").get_attribute("alt")
    assert alt.startswith("Learning curve of PPO on CartPole-v1. Solved (goal 475) after ")


def check_replay(lab, cell):
    """The video is there, has a length and plays."""
    lab.show(cell)
    video = lab.cell(cell).locator("video")
    assert video.get_attribute("aria-label").startswith("Replay of the agent. CartPole-v1: return")
    if not video.evaluate("(node) => node.canPlayType('video/mp4; codecs=\"avc1.42E01E\"')"):
        assert not os.environ.get("REQUIRE_BROWSER"), "this Chromium cannot play H.264"
        pytest.skip("all but the replay holds; this Chromium, unlike Debian's, has no H.264")
    video.evaluate("(node) => { node.play(); }")
    state = f'window.course.notebook().widgets[{cell}].node.querySelector("video")'
    lab.wait(f"() => {state}.readyState >= 2 && {state}.duration > 0")
    start = video.evaluate("(node) => node.currentTime")
    # Either way: it starts again at its end, and an untrained agent's episode is over at once.
    lab.wait(f"(start) => Math.abs({state}.currentTime - start) > 0.05 && !{state}.error", start)
    video.evaluate("(node) => node.pause()")
    return video.evaluate("(node) => node.duration")


CONTRAST = """
(root) => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = (color) => {
    const [r, g, b] = [...rgb(color)].map((v) => v / 255).map(
      (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let page = root;
  while (page.parentElement && rgb(getComputedStyle(page).backgroundColor)[3] < 255)
    page = page.parentElement;
  const background = luminance(getComputedStyle(page).backgroundColor);
  const ratio = (color) => {
    const own = luminance(color);
    return (Math.max(own, background) + 0.05) / (Math.min(own, background) + 0.05);
  };
  const style = (selector) => getComputedStyle(root.querySelector(selector));
  return {
    text: Math.min(ratio(style('svg text').fill), ratio(style('output').color)),
    lines: Math.min(ratio(style('.flows').stroke), ratio(style('.zero').stroke)),
  };
}
"""


def check_theme(lab, theme):
    """Words and curves of the explorer stand out from the page (WCAG 1.4.3 and 1.4.11)."""
    lab.theme(theme)
    cell = lab.find(line=EXPLORER)
    lab.show(cell)
    contrast = lab.cell(cell).locator(".clip-explorer").evaluate(CONTRAST)
    assert contrast["text"] >= 4.5, (theme, contrast)
    assert contrast["lines"] >= 3, (theme, contrast)


@pytest.fixture(scope="module")
def solved():
    """The released lab with the reference solution pasted in."""
    notebook = solved_notebook(Course.open(ROOT), LAB)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    return notebook


def test_untouched(chromium, server):
    """The text reads well; unwritten functions are named in plain words, wherever they matter."""
    release = Course.open(ROOT).release_path(LAB)
    with opened(
        chromium, server, json.loads(release.read_bytes()), LAB, "untouched", height=900
    ) as lab:
        lab.screenshot("untouched_top")
        check_prose(lab)
        lab.show(lab.find(line="## Part 3"))
        lab.screenshot("untouched_formulas")

        lab.run_all()
        cell = lab.find(grade_id="test_probability_ratio")
        (error,) = outputs(lab.cells()[cell], "error")
        lab.show(cell - 1)
        lab.screenshot("untouched_check")
        shown = message(lab, cell)
        assert shown.startswith("probability_ratio is not written yet.")
        assert shown == "\n".join(error["traceback"]).strip()

        # A student who skips the exercises for now and runs the demonstrations.
        skipped = [c for c in lab.cells() if c["type"] == "code" and c["index"] > cell]
        for waiting in skipped:
            if not waiting["grade_id"].startswith("test_"):
                done = lab.run_cell(waiting["index"])
                assert outputs(done, "error") == [], done["source"]
                assert printed(done, "stderr") == "", done["source"]
        explorer = lab.find(line=EXPLORER)
        lab.show(explorer - 1)
        lab.screenshot("untouched_explorer")
        assert lab.cell(explorer).get_by_role("note").inner_text() == (
            "No picture yet: clipped_surrogate_loss is not written. "
            "Complete its cell above, then run this one again."
        )
        training = lab.cells()[lab.find(line=TRAINING)]
        assert "is not written yet: complete its cell above" in printed(training)
        assert lab.cell(training["index"]).locator(".jp-OutputArea-child").count() == 1
        check_images(lab)


def test_wrong_sign(chromium, server, solved):
    """A flipped sign: the check names it, the explorer draws it and says what is off."""
    wrong = ROOT / "tests" / "corpus" / LAB / "clipped_surrogate_loss" / "bad_sign_flipped.py"
    notebook = copy.deepcopy(solved)
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "clipped_surrogate_loss":
            cell["source"] = wrong.read_text(encoding="utf-8")
        # What lies between the set-up and this exercise is of no use here, and takes its time.
        if cell["source"].startswith("def plain_policy_gradient"):
            cell["source"] = "pass"
    with opened(chromium, server, notebook, LAB, "wrong", height=900) as lab:
        lab.run_all()
        check = lab.cells()[lab.find(grade_id="test_clipped_surrogate_loss")]
        assert len(outputs(check, "error")) == 1
        lab.show(check["index"])
        lab.screenshot("wrong_check")
        shown = message(lab, check["index"])
        assert shown.startswith("clipped_surrogate_loss: ")
        assert "sign" in shown

        cell = lab.find(line=EXPLORER)
        lab.run_cell(cell)
        lab.show(cell - 1)
        picture = drawing(lab, cell)
        assert picture["fact"].startswith("One thing is off in this picture. At epsilon = 0.200:")
        assert "the advantage, +2.00; yours is -2.00." in picture["fact"]
        # Upside down: for A > 0 the dot lies below the zero line (SVG counts downwards).
        assert picture["height"][0] > picture["zeroLine"] > picture["height"][1]
        lab.screenshot("wrong_explorer")


def test_solved(chromium, server, solved):
    """With the solution pasted in everything runs, moves, grows and plays."""
    with opened(chromium, server, solved, LAB, "solved", height=900) as lab:
        watch_curve(lab)
        lab.run_all()
        for cell in lab.cells():
            assert outputs(cell, "error") == [], cell["source"]
            assert printed(cell, "stderr") == "", cell["source"]
            if cell["type"] == "code":
                assert cell["count"] is not None, cell["source"]
        assert len(check_images(lab)) >= 7
        assert lab.page.locator(".jp-OutputArea-output:has-text('Error displaying')").count() == 0
        check_training(lab)
        check_slider(lab)

        check_theme(lab, "JupyterLab Light")
        for name, line in PLACES.items():
            lab.show(lab.find(line=line), ".jp-Cell-outputWrapper")
            lab.screenshot(f"solved_light_{name}")
        check_theme(lab, "JupyterLab Dark")
        for name in ("explorer", "training"):
            lab.show(lab.find(line=PLACES[name]), ".jp-Cell-outputWrapper")
            lab.screenshot(f"solved_dark_{name}")
        lab.theme("JupyterLab Light")

        untrained = check_replay(lab, lab.find(line=REPLAY, nth=0))
        trained = check_replay(lab, lab.find(line=REPLAY, nth=1))
        assert trained > 2 * untrained  # it holds the pole for longer
