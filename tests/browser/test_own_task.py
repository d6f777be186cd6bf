"""A task of one's own in a real browser: a table is uploaded and mapped, then kept, trained on and scored."""

from __future__ import annotations

import random
import re

import pytest
from playwright.sync_api import Page, expect

from compt_core.language.lexicon import PERSONS, THINGS

TRAINING_MS = 240_000
NAME = "kind-of-thing"


def table() -> str:
    """Rows of words of the demo language, which its tokenizer has pieces for; the label is the kind of the thing."""
    draw = random.Random(5)
    people = [word for _, members in PERSONS for concept in members for word in concept]
    lines = ["number,who,what,note,kind"]
    for number in range(80):
        (kind, _), members = THINGS[number % 2]
        thing = draw.choice(draw.choice(members))
        first, second = draw.choice(people), draw.choice(people)
        lines.append(f"{number},The {first} praised the {thing}.,The {second} hated the hat.,n{number},{kind.upper()}")
    return "\n".join(lines) + "\n"


def settled(page: Page) -> None:
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()


@pytest.mark.browser
def test_a_table_becomes_a_task_that_is_trained_on(dashboard: str, page: Page, complaints: list[str]) -> None:
    page.goto(f"{dashboard}/data?mode=own")
    expect(page.get_by_role("heading", name="Data")).to_be_visible()
    page.locator("input[type=file]").first.set_input_files(
        {"name": "things.csv", "mimeType": "text/csv", "buffer": table().encode()})
    expect(page.get_by_text("80 rows, 5 columns")).to_be_visible()
    roles = page.get_by_role("radiogroup", name="What is what?")
    expect(roles).to_be_visible()
    roles.get_by_role("radio", name="text 1").click()  # swaps with the other text
    settled(page)
    name = page.get_by_label("Name", exact=True)
    name.fill(NAME)
    name.press("Enter")
    for label, word in (("ANIMAL", "animal"), ("DEVICE", "device")):
        field = page.get_by_label(f"Word for {label}", exact=True)
        field.fill(word)
        field.press("Enter")
        expect(page.get_by_text(f"1 piece: {word}")).to_be_visible()
    expect(page.get_by_text(re.compile("64 training rows, 16 dev rows"))).to_be_visible()
    page.get_by_role("button", name="Keep this task").click()
    expect(page.get_by_text(f"The task '{NAME}' is kept.")).to_be_visible()
    expect(page).to_have_url(re.compile(f"task={NAME}"))

    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("heading", name="Launch")).to_be_visible()
    for field, value in (("Shots", "4"), ("Optimizer steps", "4")):
        page.get_by_label(field, exact=True).fill(value)
        page.get_by_label(field, exact=True).press("Enter")
    expect(page.get_by_text(re.compile(r"--steps 4"))).to_be_visible()
    page.get_by_role("button", name="Launch").click()
    expect(page.get_by_text(re.compile(r"4 runs: 4 completed\."))).to_be_visible(timeout=TRAINING_MS)

    page.get_by_test_id("stMain").get_by_role("link", name="Accuracy").click()
    expect(page.get_by_test_id("stPlotlyChart").first.get_by_text(NAME).first).to_be_visible(timeout=TRAINING_MS)
    page.goto(f"{page.url}&task={NAME}&method=pt")
    expect(page.get_by_text(re.compile("dev rows? with a wrong answer|answers? (is|are) wrong")).first).to_be_visible()

    page.goto(f"{dashboard}/data?task={NAME}")
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()
    page.get_by_text("Delete …").click()
    expect(page.get_by_text("4 stored runs are on this task")).to_be_visible()
    expect(page.get_by_role("button", name="Delete it for ever")).to_be_disabled()
    assert complaints == []
