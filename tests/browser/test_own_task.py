"""Tasks of one's own in a real browser: tables are uploaded and mapped, then kept, trained on and scored."""

from __future__ import annotations

import csv
import io
import json
import random
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from compt_core.language.lexicon import PERSONS, THINGS
from tests.own_tasks import PUBLIC, public_rows

TRAINING_MS = 240_000
NAME = "kind-of-thing"
TEXTS = {"trec": "text", "news": "Title Description", "boolq": "question passage", "wic": "word sentence1 sentence2",
         "cb": "premise hypothesis", "sick": "sentence_A sentence_B"}
NAMED = {"trec": ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"), "news": ("1", "2", "3", "4")}  # labels without a word


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


def file_of(name: str) -> tuple[str, str]:
    """The name and contents of a file with rows of a public schema: JSON lines, or a table."""
    rows, ending = public_rows(name), {"boolq": "jsonl", "wic": "tsv"}.get(name, "csv")
    if ending == "jsonl":
        return f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows)
    made = io.StringIO()
    writer = csv.DictWriter(made, rows[0], delimiter="\t" if ending == "tsv" else ",", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return f"{name}.{ending}", made.getvalue()


def keep(page: Page, name: str) -> None:
    """Uploads a public schema, gives labels that are codes their words, and keeps the task under its own name."""
    file, contents = file_of(name)
    page.get_by_role("radio", name="A task of your own").click()
    page.locator("input[type=file]").first.set_input_files(
        {"name": file, "mimeType": "text/plain", "buffer": contents.encode()})
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    for number, column in enumerate(TEXTS[name].split(), 1):
        role = page.get_by_role("radiogroup", name=f"What is {column}?").get_by_role("radio", name=f"text {number}")
        expect(role).to_have_attribute("aria-checked", "true")
    for label, word in zip(NAMED.get(name, ()), PUBLIC[name], strict=False):
        page.get_by_label(f"Word for {label}", exact=True).fill(word)
    page.get_by_label("Name", exact=True).click()  # leaves the last field
    for word in PUBLIC[name] if name in NAMED else ():
        expect(page.get_by_text(f"1 piece: {word}")).to_be_visible()
    page.get_by_role("button", name="Keep this task").click()
    expect(page.get_by_text(f"The task '{name}' is kept.")).to_be_visible()


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


@pytest.mark.browser
def test_six_public_schemas_become_tasks_that_train_together(dashboard: str, page: Page, complaints: list[str]) -> None:
    page.goto(f"{dashboard}/data")
    expect(page.get_by_role("heading", name="Data")).to_be_visible()
    for name in PUBLIC:
        keep(page, name)

    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("heading", name="Launch")).to_be_visible()
    page.get_by_text("Choose whole suites and families of tasks").click()
    page.get_by_role("toolbar", name="own (kept here)").get_by_role("button", name="all 6").click()
    expect(page.get_by_text(re.compile(rf"--tasks sick,{','.join(sorted(set(PUBLIC) - {'sick'}))}"))).to_be_visible()
    for field, value in (("Shots", "6"), ("Optimizer steps", "2")):
        page.get_by_label(field, exact=True).fill(value)
        page.get_by_label(field, exact=True).press("Enter")
    expect(page.get_by_text(re.compile("--steps 2"))).to_be_visible()
    page.get_by_role("button", name="Launch").click()
    expect(page.get_by_text(re.compile(r"4 runs: 4 completed\."))).to_be_visible(timeout=TRAINING_MS)

    page.get_by_test_id("stMain").get_by_role("link", name="Accuracy").click()
    heatmap = page.get_by_test_id("stPlotlyChart").first
    for name in PUBLIC:
        expect(heatmap.get_by_text(re.compile(f"^{name}")).first).to_be_visible(timeout=TRAINING_MS)
    assert complaints == []


@pytest.mark.browser
def test_a_reload_loses_nothing_and_a_kept_task_can_be_changed(dashboard: str, page: Page, complaints: list[str]
                                                               ) -> None:
    def change(field: str, text: str) -> None:
        page.get_by_label(field, exact=True).fill(text)
        page.get_by_label(field, exact=True).press("Enter")

    def role(column: str, name: str) -> Locator:
        return page.get_by_role("radiogroup", name=f"What is {column}?").get_by_role("radio", name=name)

    file, contents = file_of("wic")
    page.goto(f"{dashboard}/data?mode=own")
    page.locator("input[type=file]").first.set_input_files(
        {"name": file, "mimeType": "text/plain", "buffer": contents.encode()})
    change("Name", "senses")
    change("Word for true", "same")
    role("word", "not used").click()
    expect(page.get_by_text("2 columns that are not used: 'word', 'idx'")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Name", exact=True)).to_have_value("senses")
    expect(page.get_by_label("Word for true", exact=True)).to_have_value("same")
    expect(role("word", "not used")).to_have_attribute("aria-checked", "true")
    page.get_by_role("button", name="Keep this task").click()
    expect(page.get_by_text("The task 'senses' is kept.")).to_be_visible()

    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_text("senses: 70 rows, 5 columns")).to_be_visible()
    change("Word for true", "alike")
    role("word", "text 3").click()
    expect(page.get_by_text("a column that is not used: 'idx'")).to_be_visible()
    page.get_by_role("button", name="Keep this task").click()
    expect(page.get_by_text("The task 'senses' is kept.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("sentence2 (read as “sentence2:”) and word (read as “word:”)")).to_be_visible()
    expect(page.get_by_text("alike").first).to_be_visible()
    assert complaints == []
