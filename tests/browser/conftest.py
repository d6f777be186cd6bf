"""The real dashboard in a process of its own, and a real Chromium in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"
# A deep link makes Streamlit's own front end ask below the page's name first; it then finds the right address.
EXPECTED = ("_stcore/health", "_stcore/host-config")


@pytest.fixture
def dashboard(home: Path, tmp_path: Path) -> Iterator[str]:
    """Address of a dashboard that trains in its own thread, in an empty home, started from a foreign folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "stderr.txt").open("w") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(MAIN), "--server.port", str(port)], cwd=tmp_path, text=True,
            env=os.environ | {"COMPT_HOME": str(home), "COMPT_WORKER": "thread"}, stdout=subprocess.PIPE, stderr=errors)
        assert server.stdout is not None
        try:
            if not any("URL:" in line for line in server.stdout):  # ends early when the server does
                pytest.fail((tmp_path / "stderr.txt").read_text())
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.communicate(timeout=60)


@pytest.fixture
def browser() -> Iterator[Browser]:
    """The system's Chromium where there is one on the path, else Playwright's own."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield chromium
        chromium.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console and the network reported as errors."""
    return []


@pytest.fixture
def context(browser: Browser, complaints: list[str]) -> Iterator[BrowserContext]:
    """A browser window whose pages report their errors."""
    window = browser.new_context(viewport={"width": 1280, "height": 900})
    window.on("console", lambda message: complaints.append(f"{message.text} {message.location['url']}")
              if message.type == "error" and not message.location["url"].endswith(EXPECTED) else None)
    window.on("weberror", lambda error: complaints.append(str(error.error)))
    window.on("requestfailed", lambda request: complaints.append(f"{request.failure}: {request.url}")
              if "ERR_ABORTED" not in str(request.failure) else None)  # the page was left before its answer
    yield window
    window.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty page of that window."""
    return context.new_page()
