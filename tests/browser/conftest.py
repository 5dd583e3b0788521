"""A real Chromium, and pages that note everything they should not do."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parent.parent
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}


@pytest.fixture(scope="session")
def factory():
    """The module that makes synthetic results for the report's tests."""
    path = _TESTS / "report" / "conftest.py"
    spec = importlib.util.spec_from_file_location("browser_result_factory", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next((path for name in names if (path := shutil.which(name))), None)
    if executable is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(_FLAGS))
        yield browser
        browser.close()


class Watched:
    """A page with what it complained about and what it asked for outside this machine."""

    def __init__(self, page):
        self.page, self.complaints, self.strangers = page, [], []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)

    def _console(self, message):
        # Streamlit looks for its own endpoints below the page's path first: two known 404s.
        known = message.location.get("url", "").endswith(("/health", "/host-config"))
        if message.type in {"error", "warning"} and not known:
            self.complaints.append(message.text)

    def _request(self, request):
        if not request.url.startswith(("file:", "data:", "blob:", "http://127.0.0.1", "ws://127")):
            self.strangers.append(request.url)

    def overflow(self):
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")


@pytest.fixture
def watched(chromium):
    contexts = []

    def open_context(**options):
        contexts.append(chromium.new_context(**options))
        return Watched(contexts[-1].new_page())

    yield open_context
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def server(factory, tmp_path_factory):
    """Address of a dashboard over two stored runs, in a process of its own."""
    root = tmp_path_factory.mktemp("runs")
    for day, name in enumerate(("first", "second"), start=1):
        result = factory.make_result(n_sessions=600, seed=day, run_id=name)
        result.manifest["created_at"] = f"2024-01-0{day}T12:00:00+00:00"
        factory.write_run(result, root / name)
    port = _free_port()
    app = _TESTS.parent / "dashboard" / "app.py"
    command = [sys.executable, "-m", "streamlit", "run", str(app), f"--server.port={port}"]
    log = (root.parent / "server.log").open("wb")
    process = subprocess.Popen(
        command, cwd=root, env={**os.environ, "FINGRU_RUNS": str(root)},
        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


def _free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_healthy(address, process):
    for _ in range(150):
        assert process.poll() is None, "the dashboard did not start"
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health"):
                return
        except urllib.error.URLError:
            time.sleep(0.2)
    pytest.fail("the dashboard did not answer")
