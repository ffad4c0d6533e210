"""A JupyterLab server and a Chromium for the browser tests."""

import os

import lab_browser
import pytest


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """``jupyter lab`` on an empty folder, one for all tests of a process; each has a folder in it.

    No test may make a folder ``notebooks`` at the top: the labs would keep their runs beside it.
    """
    server = lab_browser.Server(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture
def chromium():
    """A headless Chromium. Without one: skipped, or with REQUIRE_BROWSER set (CI) a failure."""
    running = lab_browser.chromium()
    try:
        browser = running.__enter__()
    except lab_browser.NoBrowserError as error:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(f"REQUIRE_BROWSER is set, and there is {error}")
        pytest.skip(str(error))
    yield browser
    running.__exit__(None, None, None)
