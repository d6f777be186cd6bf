"""The guided tour in a real browser: by keys through all steps, a slider that acts, presenter mode and its way out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.learn.view import STEPS

PAGE_MS = 60_000
PLOTLY, VEGA = ".js-plotly-plot .main-svg", "[data-testid=stVegaLiteChart] svg"
# page -> what is drawn last on it
LAST = {"": "text=id lpacwc8kyv", "launch": "text=A link to these settings", "runs": VEGA, "accuracy": VEGA,
        "accuracy?view=pt&shots=16&task=demo-mood": VEGA, "attention?of=mean": PLOTLY, "gates?of=mean": VEGA,
        "whatif": "text=Mean over 12 tasks", "space": "[data-testid=stDataFrame]"}


def press(page: Page, key: str, done: Callable[[], bool]) -> None:
    """Presses a shortcut until it has acted: Streamlit binds shortcuts a moment after it shows their button."""
    end = time.monotonic() + PAGE_MS / 1000
    while not done():
        assert time.monotonic() < end
        page.keyboard.press(key)
        page.wait_for_timeout(500)


@pytest.mark.browser
def test_the_tour_by_keys_and_presenter_mode(
    serve: Callable[[], Any], page: Page, complaints: list[str], monkeypatch: pytest.MonkeyPatch,
    flaws: Callable[[Page], list[str]],
) -> None:
    monkeypatch.setenv("COMPT_DEMO_RUNS", "on")
    address = serve().address
    page.goto(f"{address}/learn")
    heads = [f"{number}. {step.headline}" for number, step in enumerate(STEPS.values(), start=1)]
    for head in heads:
        expect(page.get_by_role("heading", name=head)).to_be_visible(timeout=PAGE_MS)
        if head != heads[-1]:
            chart = page.locator("[data-testid=stVegaLiteChart], [data-testid=stPlotlyChart]").first
            expect(chart).to_be_visible(timeout=PAGE_MS)
            assert flaws(page) == []
            page.get_by_role("button", name="Next").press("Enter")
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    last = page.get_by_role("heading", name=heads[-1])
    press(page, "ArrowLeft", lambda: not last.is_visible())

    page.get_by_role("radio", name="3 Attention").click()
    expect(page.get_by_role("heading", name=heads[2])).to_be_visible(timeout=PAGE_MS)
    dropped = page.get_by_text(re.compile("sparsemax gives s1, s2 and s3 exactly 0"))
    expect(dropped).to_have_count(0)
    slider = page.get_by_role("slider", name="Logit of s0")
    slider.focus()
    page.keyboard.press("End")  # and its arrow keys move the slider, not the tour
    expect(dropped).to_be_visible(timeout=PAGE_MS)
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("z0=3.9"))
    expect(page.get_by_role("heading", name=heads[2])).to_be_visible()

    menu = page.get_by_role("link", name="Accuracy")
    expect(menu).to_be_visible()
    page.get_by_role("button", name="Present").click()
    page.get_by_role("button", name="Presenter mode").click()
    expect(menu).to_be_hidden(timeout=PAGE_MS)
    expect(dropped.first).to_be_visible()  # for a moment the previous page is there as well
    page.goto(f"{page.url}&controls=off")
    expect(dropped).to_be_visible(timeout=PAGE_MS)
    expect(page.get_by_role("slider")).to_have_count(0)
    page.get_by_role("button", name="Leave presenter mode").click()
    expect(menu).to_be_visible(timeout=PAGE_MS)
    expect(slider).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    for name, last_part in LAST.items():  # the other pages on the same runs
        page.goto(f"{address}/{name}")
        expect(page.locator(last_part).last).to_be_visible(timeout=PAGE_MS)
        assert flaws(page) == [], name
    assert not complaints
