"""The real dashboard in a process of its own, and a real Chromium in front of it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"
expect.set_options(timeout=60_000)  # Playwright's own 5 s are short where everything shares two cores
# A deep link makes Streamlit's own front end ask below the page's name first; it then finds the right address.
EXPECTED = ("_stcore/health", "_stcore/host-config")

_FLAWS = """() => {
    const found = [], heads = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")];
    const levels = heads.filter(one => one.checkVisibility()).map(one => Number(one.tagName[1]));
    if (levels[0] !== 1 || levels.some((level, i) => i && level > levels[i - 1] + 1)) found.push("headings " + levels);
    for (const one of document.querySelectorAll("[role=graphics-symbol]:not([aria-label])")) found.push(one.outerHTML);
    const meet = (a, b) => a.width && a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;
    for (const figure of document.querySelectorAll(".js-plotly-plot"))
        for (const bar of figure.querySelectorAll(".modebar-group"))
            for (const text of figure.querySelectorAll("text"))
                if (text.textContent.trim() && meet(text.getBoundingClientRect(), bar.getBoundingClientRect()))
                    found.push("the bar of buttons covers " + text.textContent);
    return found;
}"""


class Server:
    """A dashboard that trains in its own thread, started from a foreign folder."""

    def __init__(self, home: Path, folder: Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address, errors = f"http://127.0.0.1:{port}", folder / f"stderr-{port}.txt"
        with errors.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", str(MAIN), "--server.port", str(port)], cwd=folder,
                text=True, stdout=subprocess.PIPE, stderr=stderr,
                env=os.environ | {"COMPT_HOME": str(home), "COMPT_WORKER": "thread", "COMPT_CHECKPOINT_SECONDS": "0"})
        assert self.process.stdout is not None
        if not any("URL:" in line for line in self.process.stdout):  # ends early when the server does
            pytest.fail(errors.read_text())

    def end(self, number: int = signal.SIGTERM) -> None:
        """Ends the server by a signal; fails where it does not end soon, busy cores allowed for."""
        self.process.send_signal(number)
        self.process.communicate(timeout=30)


@pytest.fixture
def serve(home: Path, tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Starts a dashboard on one home, as often as it is called; whatever still runs is ended afterwards."""
    started: list[Server] = []

    def start() -> Server:
        started.append(Server(home, tmp_path))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.end()


@pytest.fixture
def dashboard(serve: Callable[[], Server]) -> str:
    """Address of a dashboard in an empty home."""
    return serve().address


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
def flaws() -> Callable[[Page], list[str]]:
    """What is wrong with a page as it stands: headings that skip a level, marks of a figure without a name, texts of a
    figure that its bar of buttons covers."""
    return lambda page: list(page.evaluate(_FLAWS))


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
