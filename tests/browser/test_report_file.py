"""The report in a real browser: downloaded from the page, opened from disk without a network, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.training.events import Event, Outcome

PAGE_MS = 60_000
TASKS = ["demo-mood", "demo-echo", "demo-twin"]
_CONTRAST = """() => {
    const linear = part => { part /= 255; return part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4 };
    const light = text => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(linear);
                            return .2126 * r + .7152 * g + .0722 * b };
    const page = getComputedStyle(document.body).backgroundColor, clear = text => /^rgba.*, 0\\)$/.test(text);
    return Math.min(...[...document.querySelectorAll("h1, h2, h3, p, li, a, th, td, small, caption, figcaption, pre")]
        .map(one => { let at = one, back = "rgba(0, 0, 0, 0)";
                      while (at && clear(back)) { back = getComputedStyle(at).backgroundColor;
                                                            at = at.parentElement }
                      const [a, b] = [light(getComputedStyle(one).color), light(clear(back) ? page : back)];
                      return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) }));
}"""


def finished(store: Store) -> str:
    """Two seeds of PT and SPP at two shot counts, with curves, as if trained."""
    identity = store.submit(build_experiment({
        "tasks": TASKS, "methods": ["pt", "spp"], "shots": [4, 8], "seeds": [0, 1], "sources": 2}))
    draw = np.random.default_rng(0)
    for run in store.claim():
        store.started(run.id, 9, {"compt": "0.1.0", "packages": {"torch": "2"}})
        store.write_events([Event(run.id, "loss", step, (2 - step / 9,)) for step in range(10)])
        scores = {task: {"accuracy": float(draw.uniform(0.4, 1))} for task in TASKS}
        mean = sum(one["accuracy"] for one in scores.values()) / 3
        composed = {"attention": [[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]], "alpha": [0.3, 0.4, 0.5],
                    "beta": [0.6, 0.7, 1.0],
                    "private_share": [0.3] * 3, "private_norm_share": [0.2, 0.4, 0.6], "normalizer": "softmax"}
        store.finish(run.id, Outcome("completed", {
            "tasks": scores, "mean": mean, "mean_normalised": 2 * mean - 1, "constant": dict.fromkeys(TASKS, False),
            **(composed if run.method == "spp" else dict.fromkeys(composed))}, {}, {}))
    rows = {task: {"accuracy": 0.5} for task in TASKS}
    store.set_references(identity, {"majority": rows, "no_prompt": rows})
    return identity


@pytest.mark.browser
def test_the_report_opens_from_disk_without_a_network(
    dashboard: str, home: Path, page: Page, browser: Browser, complaints: list[str], tmp_path: Path,
    flaws: Callable[[Page], list[str]],
) -> None:
    identity = finished(Store(home))
    page.goto(f"{dashboard}/accuracy?exp={identity}")
    button = page.get_by_role("button", name=re.compile(re.escape("Report (HTML)")))
    expect(button).to_be_visible(timeout=PAGE_MS)
    with page.expect_download(timeout=PAGE_MS) as download:
        button.click()
    assert download.value.suggested_filename == f"compt-{identity}.html"
    file = tmp_path / "report.html"
    download.value.save_as(file)
    assert not complaints

    for width, scheme in ((1440, "light"), (800, "dark")):
        window = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        asked: list[str] = []
        window.on("request", lambda request, asked=asked: asked.append(request.url))
        window.on("console", lambda message: complaints.append(message.text))
        window.on("weberror", lambda error: complaints.append(str(error.error)))
        opened = window.new_page()
        opened.goto(file.as_uri())
        expect(opened.get_by_role("heading", level=1)).to_have_text("PT and ComPT (SPP) on 3 demo tasks")
        expect(opened.get_by_role("img", name=re.compile("^Mean over tasks, from 4 to 8 shots"))).to_be_visible()
        expect(opened.get_by_role("table", name="Scores × 100 at 8 shots")).to_be_visible()
        assert asked == [file.as_uri()] and not complaints and flaws(opened) == []
        assert opened.evaluate("document.documentElement.scrollWidth") == width  # nothing sticks out
        assert opened.evaluate(_CONTRAST) >= 4.5  # WCAG AA, of every text on its own background
        dark = opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(9, 12, 11)"
        assert dark == (scheme == "dark")
        assert opened.pdf().startswith(b"%PDF")
        window.close()
