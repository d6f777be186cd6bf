"""Launch in a real browser: data is uploaded, and the link of the form opens the same form in a fresh browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

TRAIN = "sentence,label\n" + "".join(f"good {i},{'positive' if i % 2 else 'negative'}\n" for i in range(9))
DEV = "sentence,label\n" + "".join(f"fine {i},{i % 2}\n" for i in range(4))


@pytest.mark.browser
def test_uploaded_data_travels_by_link_to_a_fresh_browser(
    page: Page, browser: Browser, dashboard: str, complaints: list[str]
) -> None:
    page.goto(f"{dashboard}/launch?preset=first-1&shots=8,16&sources=7")
    expect(page.get_by_label("Shots", exact=True)).to_have_value("8, 16", timeout=60_000)
    page.get_by_role("link", name="Bring your own data").click()
    expect(page.get_by_role("heading", name="Data")).to_be_visible()
    page.get_by_role("radio", name="Rows for a public task").click()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()  # its end would close an open list
    page.get_by_role("combobox", name="Rows for the task").fill("sst2")
    page.get_by_role("option", name="sst2", exact=True).click()
    expect(page.get_by_text("is negative or positive")).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()  # the places for cola's files are gone
    for number, (name, text) in enumerate({"a.csv": TRAIN, "b.csv": DEV}.items()):
        page.locator("input[type=file]").nth(number).set_input_files(
            {"name": name, "mimeType": "text/csv", "buffer": text.encode()})
    page.get_by_role("button", name="Keep these files").click()
    expect(page.get_by_text("9 training rows and 4 dev rows of sst2 are kept")).to_be_visible()
    page.get_by_role("button", name="Use it").click()
    expect(page).to_have_url(f"{dashboard}/launch")  # the draft is the visitor's now
    expect(page.get_by_label("Shots", exact=True)).to_have_value("8, 16")
    folder = page.get_by_label("Data folder", exact=True).input_value()
    link = page.locator("[data-testid=stCode]", has_text="/launch?").inner_text()
    assert folder in link

    fresh = browser.new_page()
    fresh.goto("".join(link.split()))
    expect(fresh.get_by_label("Data folder", exact=True)).to_have_value(folder, timeout=60_000)
    expect(fresh.get_by_label("Shots", exact=True)).to_have_value("8, 16")
    expect(fresh.get_by_label("Source prompts (S)", exact=True)).to_have_value("7")
    expect(fresh.locator("[data-testid=stCode]", has_text="/launch?")).to_have_text(link)
    fresh.close()
    assert complaints == []
