"""The Attention page in a real browser: a click on a cell opens its details and is a link; play runs to the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.training.events import Event, Outcome

PAGE_MS = 60_000
TASKS, SOURCES, STEPS = ("cola", "sst2", "stsb"), 4, 5


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished run with a recorded point at each of its few steps."""
    monkeypatch.setitem(os.environ, "COMPT_DEMO_RUNS", "off")
    store = Store(home)
    store.submit(build_experiment({"tasks": ",".join(TASKS), "backbone": "demo", "methods": "spp", "shots": "8",
                                   "sources": SOURCES}))
    (run,) = store.claim()
    store.started(run.id, STEPS, {"torch": "0"})
    rows = [[0.1 + 0.05 * k + 0.1 * (s == k) for s in range(SOURCES)] for k in range(len(TASKS))]
    store.write_events([Event(run.id, "attention", step, tuple(0.25 + step / STEPS * (weight - 0.25)
                                                               for row in rows for weight in row))
                        for step in range(STEPS + 1)])
    none = dict.fromkeys(("alpha", "beta", "private_share", "private_norm_share"))
    store.finish(run.id, Outcome("completed", result={
        "tasks": {task: {"accuracy": 0.5} for task in TASKS}, "mean": 0.5, "mean_normalised": 0.1, **none,
        "attention": rows, "normalizer": "softmax", "dead_sources": [], "constant": dict.fromkeys(TASKS, False),
        "eval_rows": dict.fromkeys(TASKS, 9)}))
    store.close()
    return run.id


def click(page: Page, row: int, column: int) -> None:
    """Clicks the heatmap's cell, well off its centre."""
    grid = page.get_by_test_id("stPlotlyChart").first.locator(".nsewdrag").first
    box = grid.bounding_box()
    assert box is not None
    at = (box["x"] + box["width"] * (column + 0.8) / SOURCES, box["y"] + box["height"] * (row + 0.7) / len(TASKS))
    page.mouse.move(at[0] - 4, at[1])
    page.mouse.move(*at)
    page.mouse.click(*at)


def detail(page: Page, task: str, source: str) -> Locator:
    return page.get_by_text(f"{task} gives source {source} a weight of")


@pytest.mark.browser
def test_a_click_is_a_link_and_play_ends_with_the_whole_page(
        run: str, serve: Callable[..., object], page: Page, browser: Browser, complaints: list[str]) -> None:
    address = serve().address  # type: ignore[attr-defined]
    page.set_viewport_size({"width": 1280, "height": 1600})  # all in sight: nothing scrolls between two clicks
    page.goto(f"{address}/attention?run={run}")
    expect(page.locator(".textpoint text").first).to_be_visible(timeout=PAGE_MS)
    click(page, 0, 1)
    expect(detail(page, "cola", "s1")).to_be_visible(timeout=PAGE_MS)
    page.get_by_role("combobox", name="Source").press("ArrowDown")  # the list and the clicks do not fight
    page.get_by_role("option", name="s2", exact=True).click()
    expect(detail(page, "cola", "s2")).to_be_visible(timeout=PAGE_MS)
    click(page, 0, 1)
    expect(detail(page, "cola", "s1")).to_be_visible(timeout=PAGE_MS)

    elsewhere = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    elsewhere.goto(page.url)
    expect(detail(elsewhere, "cola", "s1")).to_be_visible(timeout=PAGE_MS)

    play = page.get_by_role("button", name="Play")
    play.focus()
    page.keyboard.press("Enter")  # no mouse needed
    expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=PAGE_MS)
    page.wait_for_url("**step=3*", timeout=PAGE_MS)
    expect(play).to_be_visible(timeout=PAGE_MS)  # the end: by itself
    expect(detail(page, "cola", "s1")).to_be_visible(timeout=PAGE_MS)
    assert "step=" not in page.url
    assert not complaints
