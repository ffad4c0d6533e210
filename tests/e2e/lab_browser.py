"""JupyterLab as a student sees it: a server of its own and a notebook open in a real Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "tests" / "artifacts" / "browser"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SECOND = 1000  # Playwright counts milliseconds
PATIENCE = 120 * SECOND  # for one step on a machine whose cores are all busy
# The only settings that differ from a fresh JupyterLab: it asks nobody for news.
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
}


class NoBrowserError(Exception):
    """No Chromium on this machine; the text says what to do."""


@contextlib.contextmanager
def chromium() -> Iterator:
    """A running headless Chromium: the machine's own, else the one that Playwright manages.

    Only inside the ``with`` block, and only one test long: Playwright keeps an event loop running
    in this thread, in which nothing else may call ``asyncio.run``.

    Raises:
        NoBrowserError: there is none.
    """
    from playwright.sync_api import sync_playwright

    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        if found is None and not Path(playwright.chromium.executable_path).exists():
            raise NoBrowserError(
                f"no {', '.join(BROWSERS)} on PATH and none of Playwright's own; "
                "run: python -m playwright install chromium"
            )
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Server:
    """``jupyter lab`` in a folder, with nothing of this machine's Jupyter settings.

    Attributes:
        workspace: the folder that it serves: ``serve``, or an empty one of its own.
        url: with a slash at the end.
        token: lets a browser in.
    """

    def __init__(self, folder: Path, serve: Path | None = None) -> None:
        self.workspace = serve or folder / "workspace"
        self.token = secrets.token_hex(16)
        self._folder = folder
        home = folder / "home"
        config, data, self._runtime = (home / name for name in ("config", "data", "runtime"))
        for directory in (self.workspace, config / "labconfig", data, self._runtime):
            directory.mkdir(parents=True, exist_ok=directory == serve)
        overrides = config / "labconfig" / "default_setting_overrides.json"
        overrides.write_text(json.dumps(SETTINGS), encoding="utf-8")
        # What a terminal that somebody opened in JupyterLab, or a grading run, would pass on.
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "JPY_", "NBGRADER", "PYTEST", "XDG_"))
        }
        env |= {
            "HOME": str(home),
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTER_DATA_DIR": str(data),
            "JUPYTER_RUNTIME_DIR": str(self._runtime),
            "OMP_NUM_THREADS": "1",  # as in `make lab`
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with (folder / "jupyter.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
                    f"--ServerApp.root_dir={self.workspace}", "--ServerApp.ip=127.0.0.1",
                    f"--ServerApp.port={port}", f"--IdentityProvider.token={self.token}",
                    "--LabApp.expose_app_in_browser=True",
                ],
                cwd=self.workspace, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            self.url = self._wait()
        except BaseException:
            self.stop()
            raise

    @property
    def log(self) -> str:
        """What the server has printed."""
        return (self._folder / "jupyter.log").read_text(encoding="utf-8", errors="replace")

    def _wait(self) -> str:
        """The server's address, once it answers."""
        deadline = time.monotonic() + 120
        info = self._runtime / f"jpserver-{self._process.pid}.json"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"jupyter lab ended at once:\n{self.log}")
            # The port may be another one if somebody took ours in the meantime.
            with contextlib.suppress(OSError, ValueError, urllib.error.URLError):
                url = json.loads(info.read_text(encoding="utf-8"))["url"]
                with urllib.request.urlopen(f"{url}api/status?token={self.token}", timeout=5):
                    return url
            time.sleep(0.1)
        raise RuntimeError(f"jupyter lab did not answer within two minutes:\n{self.log}")

    def stop(self) -> None:
        """End the server and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


# The open notebook's parts, for the functions below. `window.jupyterapp` is JupyterLab itself.
_JS = """
window.course = {
  panel: () => window.jupyterapp.shell.currentWidget,
  notebook: () => window.course.panel().content,
  scroller: () => window.course.notebook().node.querySelector('.jp-WindowedPanel-outer'),
  // The kernel is connected and idle: running cells before that does nothing, silently.
  ready: () => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    const kernel = panel?.sessionContext?.session?.kernel;
    return Boolean(panel?.context?.isReady && panel.content.widgets.length &&
      kernel?.connectionStatus === 'connected' && kernel.status === 'idle');
  },
  cells: () => window.course.notebook().widgets.map((cell, index) => ({
    index,
    type: cell.model.type,
    source: cell.model.sharedModel.source,
    grade_id: cell.model.getMetadata('nbgrader')?.grade_id ?? '',
    count: cell.model.executionCount ?? null,
    prompt: cell.node.querySelector('.jp-InputArea-prompt')?.textContent.trim() ?? '',
    outputs: cell.model.outputs?.toJSON() ?? [],
  })),
  // Cheap, because they are asked again and again while the kernel needs the processor.
  prompts: () => [...window.course.notebook().node.querySelectorAll('.jp-CodeCell')].map(
    (node) => node.querySelector('.jp-InputArea-prompt')?.textContent.trim() ?? ''),
  running: () => window.course.prompts().includes('[*]:'),
  failed: () => window.course.notebook().widgets.some((cell) => {
    const outputs = cell.model.outputs;
    for (let i = 0; i < (outputs?.length ?? 0); i++)
      if (outputs.get(i).type === 'error') return true;
    return false;
  }),
};
"""


class LabPage:
    """One notebook open in JupyterLab.

    Attributes:
        page: Playwright's page.
        trouble: console errors, uncaught exceptions, failed requests and requests to other
            machines, in the order in which they came.
    """

    def __init__(self, browser, server: Server, path: str, viewport: tuple[int, int]) -> None:
        self._host = urlsplit(server.url).netloc
        self.trouble: list[str] = []
        self._context = browser.new_context(
            viewport={"width": viewport[0], "height": viewport[1]}, reduced_motion="reduce"
        )
        self._context.add_init_script(_JS)
        self.page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self._listen()
        self.page.goto(f"{server.url}lab/tree/{quote(path)}?reset&token={server.token}")
        self.wait("() => window.course.ready()")
        self.theme("JupyterLab Light")  # the server keeps what another test has chosen

    def _listen(self) -> None:
        page = self.page

        def console(message) -> None:
            if message.type == "error":
                where = message.location.get("url", "") if message.location else ""
                self.trouble.append(f"console error: {message.text} ({where})")

        def request(request) -> None:
            parts = urlsplit(request.url)
            if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != self._host:
                self.trouble.append(f"request to another machine: {request.url}")

        page.on("console", console)
        page.on("pageerror", lambda error: self.trouble.append(f"uncaught: {error}"))
        page.on("request", request)

    def close(self) -> None:
        """Shut the kernel down and close the page; what happens from now on is no trouble."""
        trouble, self.trouble = self.trouble, []
        with contextlib.suppress(Exception):
            self.page.evaluate("() => window.course.panel().sessionContext.shutdown()")
        self._context.close()
        self.trouble = trouble

    def wait(self, predicate: str, arg=None, timeout: int = PATIENCE) -> None:
        """Wait until the JavaScript function (never an async one) says true."""
        self.page.wait_for_function(predicate, arg=arg, timeout=timeout, polling=100)

    def cells(self) -> list[dict]:
        """All cells: index, type, source, grade_id, count, prompt, outputs (nbformat)."""
        return self.page.evaluate("() => window.course.cells()")

    def find(self, *, grade_id: str = "", line: str = "", nth: int = 0) -> int:
        """Index of the cell with this grade_id, or of the nth with a line that starts so."""
        found = [
            cell["index"]
            for cell in self.cells()
            if (
                cell["grade_id"] == grade_id
                if grade_id
                else any(text.lstrip().startswith(line) for text in cell["source"].splitlines())
            )
        ]
        assert len(found) > nth, f"no cell {grade_id or line!r}"
        return found[nth]

    def cell(self, index: int):
        """Locator of a cell."""
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')

    def show(self, index: int, part: str = "") -> None:
        """Bring a cell (or, in it, the element that the CSS selector ``part`` finds) to the top.

        Waits until it stays there: cells get their height only when they come near the window.
        """
        self.page.evaluate("() => { window.course.since = performance.now(); }")
        self.wait(
            """([index, part]) => {
              const cell = window.course.notebook().widgets[index].node;
              const target = (part && cell.querySelector(part)) || cell;
              const scroller = window.course.scroller();
              const off = target.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
              const end = scroller.scrollTop >= scroller.scrollHeight - scroller.clientHeight - 1;
              const images = [...target.querySelectorAll('img')];
              if ((Math.abs(off) > 1 && !end) || !images.every((image) => image.complete)) {
                target.scrollIntoView({block: 'start'});
                window.course.since = performance.now();
              }
              return performance.now() - window.course.since > 400;
            }""",
            [index, part],
        )

    def run_all(self) -> None:
        """Run > Run All Cells; returns when the last cell is done or an error has stopped it."""
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )
        self.wait(
            """() => !window.course.running() && (window.course.failed() ||
              window.course.notebook().widgets.findLast((cell) => cell.model.type === 'code')
                .model.executionCount !== null)""",
            timeout=2 * PATIENCE,
        )
        self.wait("() => window.course.ready()")

    def run_cell(self, index: int) -> dict:
        """Run one cell as Ctrl+Enter does; the cell afterwards."""
        before = self.page.evaluate(
            """(index) => {
              const notebook = window.course.notebook();
              notebook.activeCellIndex = index;
              const before = notebook.activeCell.model.executionCount;
              window.jupyterapp.commands.execute('notebook:run-cell');
              return before;
            }""",
            index,
        )
        self.wait(
            """([index, before]) => {
              const count = window.course.notebook().widgets[index].model.executionCount;
              return count !== null && count !== before && !window.course.running();
            }""",
            [index, before],
        )
        self.wait("() => window.course.ready()")
        return self.cells()[index]

    def theme(self, name: str) -> None:
        """Switch to "JupyterLab Light" or "JupyterLab Dark", as the Settings menu does."""
        self.page.evaluate(
            """(theme) => {
              window.jupyterapp.commands.execute('apputils:change-theme', {theme});
            }""",
            name,
        )
        self.wait("(name) => document.body.dataset.jpThemeName === name", name)

    def screenshot(self, name: str) -> Path:
        """What the window shows, as tests/artifacts/browser/NAME.png."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@contextlib.contextmanager
def opened(browser, server: Server, content: dict, lab: str, name: str, height: int = 1000):
    """A notebook open in JupyterLab; on the way out, that the browser had nothing to complain.

    It is NAME/LAB.ipynb in the server's folder. If something fails,
    tests/artifacts/browser/failed_NAME.png shows what the page looked like.
    """
    path = server.workspace / name / f"{lab}.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(content), encoding="utf-8")
    page = LabPage(browser, server, f"{name}/{lab}.ipynb", viewport=(1280, height))
    try:
        yield page
        assert page.trouble == []
    except BaseException:
        with contextlib.suppress(Exception):
            page.screenshot(f"failed_{name}")
        raise
    finally:
        page.close()


def outputs(cell: dict, kind: str) -> list[dict]:
    """A cell's outputs of one type: error, stream, display_data."""
    return [output for output in cell["outputs"] if output["output_type"] == kind]


def printed(cell: dict, stream: str = "stdout") -> str:
    """What a cell has printed."""
    return "".join(
        "".join(output["text"]) for output in outputs(cell, "stream") if output["name"] == stream
    )


def run_between(lab: LabPage, first: int, last: int) -> None:
    """Run code cells one after the other; only test cells may show an error."""
    for cell in lab.cells()[first : last + 1]:
        if cell["type"] == "code":
            done = lab.run_cell(cell["index"])
            if not done["grade_id"].startswith("test_"):
                assert outputs(done, "error") == [], done["source"]
                assert printed(done, "stderr") == "", done["source"]


def run_untouched(lab: LabPage, exercises: list[str]) -> None:
    """Run every code cell of a lab as it is released: each check fails, and nothing else."""
    run_between(lab, 0, len(lab.cells()) - 1)
    failed = {cell["grade_id"] for cell in lab.cells() if outputs(cell, "error")}
    assert failed == {f"test_{name}" for name in exercises}


def position(lab: LabPage) -> dict:
    """What must stay as it is while a slider moves: the page's place, what has run, the mode."""
    return lab.page.evaluate(
        """() => ({
          // Not scrollTop, which JupyterLab corrects when cells far above get their height.
          top: Math.round(window.course.notebook().activeCell.node.getBoundingClientRect().top),
          counts: window.course.cells().map((cell) => cell.count),
          prompts: window.course.cells().map((cell) => cell.prompt),
          cells: window.course.notebook().widgets.length,
          active: window.course.notebook().activeCellIndex,
          mode: window.course.notebook().mode,
        })"""
    )


def drawing(lab: LabPage, cell: int) -> dict:
    """What a slider figure shows: the paths of its series, its words, its sliders' positions."""
    lab.cell(cell).locator(".slider-figure svg").first.wait_for()
    return lab.page.evaluate(
        """(index) => {
          const root = window.course.notebook().widgets[index].node.querySelector('.slider-figure');
          const paths = (kind) => [...root.querySelectorAll(`g .${kind}`)]
            .map((node) => node.getAttribute('d'));
          return {
            bars: paths('bars'), lines: paths('line'), points: paths('points'),
            marks: paths('marks'),
            label: root.querySelector('svg').getAttribute('aria-label'),
            reading: root.querySelector('output').textContent,
            fact: root.querySelector('.fact')?.textContent ?? '',
            texts: [...root.querySelectorAll('input')].map((i) => i.getAttribute('aria-valuetext')),
          };
        }""",
        cell,
    )


def press(lab: LabPage, cell: int, slider: str, key: str, until: str) -> dict:
    """Reach the slider by Tab, press a key; the drawing once its reading holds the text."""
    handle = lab.cell(cell).get_by_role("slider", name=re.compile(f"^{slider}"))
    lab.cell(cell).locator(".slider-figure svg").first.click()
    for _ in range(10):
        lab.page.keyboard.press("Tab")
        if handle.evaluate("(node) => node === document.activeElement"):
            break
    else:
        raise AssertionError(f"ten times Tab does not reach the slider {slider}")
    place = position(lab)
    lab.page.keyboard.press(key)
    lab.wait(
        """([index, text]) => window.course.notebook().widgets[index].node
          .querySelector('.slider-figure output').textContent.includes(text)""",
        [cell, until],
        timeout=20 * SECOND,
    )
    assert position(lab) == place
    return drawing(lab, cell)
