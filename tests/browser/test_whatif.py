"""What-if in a real browser, on a bundled run: a mute, its scores and sentences, its link, its name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from compt_core.exchange.bundle import import_bundles
from compt_core.runs.store import Store

LOADING_MS = 120_000  # the first edit also loads torch and the backbone


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The bundled SPP run at 16 shots of seed 0."""
    monkeypatch.setitem(os.environ, "COMPT_DEMO_RUNS", "on")
    store = Store(home)
    import_bundles(store)
    found = next(run for run in store.runs(store.experiments()[0].id)
                 if (run.method, run.shots, run.seed) == ("spp", 16, 0))
    store.close()
    return found.id


@pytest.mark.browser
def test_muting_a_source_shows_scores_and_sentences_and_is_a_link_that_can_be_named(
        run: str, serve: Callable[..., object], page: Page, browser: Browser, complaints: list[str]) -> None:
    address = serve().address  # type: ignore[attr-defined]
    page.goto(f"{address}/whatif?run={run}")
    expect(page.get_by_text("Nothing is changed: this is the run as trained.")).to_be_visible()
    page.get_by_test_id("stButtonGroup").get_by_role("button", name="s2").click()
    expect(page.get_by_text("all tasks: source s2 muted")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Mean over 12 tasks: [\d.]+ as trained"))).to_be_visible(timeout=LOADING_MS)
    expect(page).to_have_url(re.compile(r"edit=mute(%3D|=)s2"))
    expect(page.get_by_role("heading", name="Sentences whose answer changed")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("without s2")
    page.get_by_label("Name", exact=True).press("Enter")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Saved edits")).to_be_visible()

    other = browser.new_page()  # somebody else opens the link
    other.goto(page.url)
    expect(other.get_by_text("all tasks: source s2 muted")).to_be_visible()
    expect(other.get_by_text(re.compile(r"Mean over 12 tasks: [\d.]+ as trained"))).to_be_visible(timeout=LOADING_MS)
    expect(other.get_by_text("without s2").first).to_be_visible()
    other.get_by_role("button", name="Undo", exact=True).click()
    expect(other.get_by_text("Nothing is changed: this is the run as trained.")).to_be_visible()
    assert not complaints, complaints
