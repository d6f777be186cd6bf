"""A first visit in a real browser: launch a tiny experiment, watch it train, see the heatmap fill,
open a cell, share the link, take the numbers along."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

TRAINING_MS = 240_000
PAGE_MS = 60_000
METHODS = 4


def heat_numbers(page: Page) -> list[str]:
    """The numbers in the cells of the first heatmap."""
    chart = page.get_by_test_id("stPlotlyChart").first
    expect(chart.locator(".textpoint text").first).to_be_visible(timeout=PAGE_MS)
    return [text for text in chart.locator(".textpoint text").all_text_contents() if text]


def fill(page: Page, label: str, value: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")
    expect(field).to_have_value(value)


def open_cell(page: Page) -> str:
    """Clicks MST's cell of the second task; what the page then says stands behind it."""
    grid = page.get_by_test_id("stPlotlyChart").first.locator(".nsewdrag").first
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * 1.7 / 14, box["y"] + box["height"] * 1.4 / 6
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    said = page.get_by_text(re.compile("MST on demo-opinion, 4 shots.*answers are wrong"))
    expect(said).to_be_visible(timeout=PAGE_MS)
    expect(page.get_by_text(re.compile("dev rows? with a wrong answer"))).to_be_visible(timeout=PAGE_MS)
    return said.inner_text()


@pytest.mark.browser
def test_from_launch_to_a_filled_heatmap(dashboard: str, page: Page, browser: Browser, complaints: list[str]) -> None:
    page.goto(dashboard)
    expect(page.get_by_role("heading", name="ComPT Lab")).to_be_visible(timeout=PAGE_MS)
    expect(page.get_by_role("img", name=re.compile("composed prompt"))).to_be_visible()
    page.get_by_role("link", name="Choose the settings").click()
    expect(page.get_by_role("heading", name="Launch")).to_be_visible(timeout=PAGE_MS)

    fill(page, "Shots", "0")
    expect(page.get_by_text("'shots' setting of an experiment must be")).to_be_visible(timeout=PAGE_MS)
    expect(page.get_by_role("button", name="Launch")).to_be_disabled()
    fill(page, "Shots", "4")
    fill(page, "Optimizer steps", "6")
    fill(page, "Dev rows per task", "20")
    expect(page.get_by_text("--steps 6")).to_be_visible(timeout=PAGE_MS)
    page.get_by_role("button", name="Launch").click()

    expect(page.get_by_role("heading", name="Runs")).to_be_visible(timeout=PAGE_MS)
    expect(page.get_by_text(re.compile(rf"{METHODS} runs: "))).to_be_visible(timeout=PAGE_MS)
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2, timeout=TRAINING_MS)  # loss and score
    expect(page.get_by_text(f"{METHODS} runs: {METHODS} completed.")).to_be_visible(timeout=TRAINING_MS)

    page.get_by_test_id("stMain").get_by_role("link", name="Accuracy").click()
    first = page.get_by_test_id("stPlotlyChart").first
    expect(first.get_by_text("majority")).to_be_visible(timeout=TRAINING_MS)  # the last row to come, by itself
    numbers = heat_numbers(page)
    assert len(numbers) >= METHODS * 14 and all(re.fullmatch(r"-?\d+\.\d[†‡]*", text) for text in numbers)
    expect(page.get_by_text("one run: no interval").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_text("The numbers as a table, CSV or LaTeX").click()
        page.get_by_role("button", name="CSV", exact=True).click()
    assert Path(download.value.path()).read_text().startswith("variant,column,value,")
    opened = open_cell(page)
    link = page.url
    assert re.search(r"[?&]exp=[a-z0-9]{10}", link) and "task=demo-opinion" in link and "method=mst" in link

    page.get_by_role("link", name="Attention").click()
    expect(page.get_by_role("heading", name="One weight in detail")).to_be_visible(timeout=PAGE_MS)  # Accuracy is gone
    assert len(heat_numbers(page)) == 12 * 4
    page.get_by_role("link", name="Gates").click()
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible(timeout=PAGE_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)

    elsewhere = browser.new_context().new_page()
    elsewhere.goto(link)
    shared = heat_numbers(elsewhere)
    assert shared == numbers
    expect(elsewhere.get_by_text(opened)).to_be_visible(timeout=PAGE_MS)
    assert not complaints
