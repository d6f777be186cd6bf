"""Random addresses at every door behind which they are read: a page's values, or a sentence; and always soon."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, quote_from_bytes

import numpy as np
import pytest

from app import address
from app.launch import links
from app.learn import board
from app.space import imported
from app.space.names import GROUPS
from app.ui import drafts, services, state, stored
from app.ui.command import command_line
from app.ui.state import Name
from compt_core.errors import ConfigError, Issue, StoreError
from compt_core.runs.store import Store
from compt_core.settings.config import Experiment
from compt_core.settings.presets import PRESETS
from compt_core.whatif import edit
from compt_core.whatif.trained import Trained
from tests.fuzz.hunt import hunt
from tests.fuzz.test_settings import scalar, value

TASKS, SOURCES = ("demo-mood", "demo-echo", "cola"), 4
RUN = Trained("abcdefghij", TASKS, "mean", "softmax", np.full((3, 4), 0.25, dtype=np.float32),
              np.zeros((3, 4), dtype=np.float32), *(np.ones(3, dtype=np.float32),) * 2,
              np.zeros((4, 2, 5), dtype=np.float32), np.zeros((3, 2, 5), dtype=np.float32),
              np.zeros((3, 2, 5), dtype=np.float32))
PAGES = [*address.NAMES, "launch"]
EVERY = sorted({name for names in address.NAMES.values() for name in names})
CHOICES = {name for names in address.NAMES.values() for name in names if isinstance(name, Name)}
FIELDS = [*Experiment.model_fields, "method", "seed", "preset", "from"]
WHAT = ["normalizer", "row", "mute", "renormalise", "private", "swap", "alpha", "beta", "blend", "rwo", ""]
PARTS = ["softmax", "sparsemax", "uniform", "trained", "s0", "s3", "s4", "s0,s1", ".25,.25,.25,.25", "1e-1,0,0,0",
         "on", "off", ".5", "10", "-1", "1e999", "nan", "k2j4h5g6f7,.5", "../x,1", "s" + "9" * 4, "s٣", ",", *TASKS]
OPTIONS = ["a", "b", "10"]


def query(dice: random.Random, names: list[str]) -> dict[str, list[str]]:
    """An address's values by name, as a server reads them; some bytes are no UTF-8, some names stand twice."""
    pairs = []
    for _ in range(dice.choice([0, 1, 1, 2, 3, 8, 40])):
        name = dice.choice(names) if dice.random() < 0.8 else scalar(dice)
        text = value(dice) if dice.random() < 0.9 else dice.choice(["x", "1,", "9", "%"]) * dice.randint(1, 40_000)
        data = [part.encode("utf-8", "surrogatepass") for part in (name, text)]
        if dice.random() < 0.05:
            data[1] += dice.randbytes(3)
        pairs.append("=".join(quote_from_bytes(part) for part in data))
    return parse_qs("&".join(pairs), keep_blank_values=True)


def said(error: Exception | str) -> None:
    """That a refusal is a sentence that a page can show."""
    assert 10 < len(str(error)) < 3000, error
    assert str(error).rstrip("?")[-1] in ".'" or str(error).endswith("?"), error


def launch(given: dict[str, list[str]]) -> str:
    texts, twice = links.gathered(given)
    preset = texts.get("preset", "demo")
    draft, found = links.read(texts, drafts.from_preset(preset if preset in PRESETS else "demo"))
    for issue in [*twice, *found]:
        assert isinstance(issue, Issue)
        said(issue.message)
    experiment, issues = drafts.build(draft)
    for issue in issues:
        said(issue.message)
    for name in Experiment.model_fields:
        drafts.own_values(draft, name)
    query = links.parameters(draft)
    again, problems = links.read(query, drafts.from_preset(query["preset"]))
    assert [issue.message for issue in problems if "characters for" not in issue.message] == []
    if experiment is None:
        return "refused"
    assert drafts.build(again) == (experiment, ())
    assert command_line(experiment).startswith("python -m compt_core run")
    return "taken" if not (twice or found) else "in part"


def edited(text: str) -> str:
    try:
        found = edit.read(text, RUN)
    except ConfigError as error:
        said(error)
        return "refused"
    assert edit.read(edit.write(found), RUN) == found
    return "taken"


def edits(dice: random.Random) -> str:
    items = []
    for _ in range(dice.choice([1, 1, 2, 3, 900])):
        task = dice.choice(["", "", f":{dice.choice(TASKS)}", f":{scalar(dice)}"])
        items.append(f"{dice.choice(WHAT)}{task}={dice.choice(PARTS) if dice.random() < 0.8 else value(dice)}")
    return ";".join(items)


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch, home: Any) -> Callable[[dict[str, list[str]]], None]:
    """Puts values into the address that state and board read; a session of its own for each."""
    store = Store()
    monkeypatch.setattr(services, "store", lambda: store)

    def open_at(given: dict[str, list[str]]) -> None:
        values = {name: texts[-1] for name, texts in given.items()}
        page = SimpleNamespace(query_params=values, session_state={})
        for module in (state, board):
            monkeypatch.setattr(module, "st", page)

    return open_at


def doors(given: dict[str, list[str]]) -> Iterator[Callable[[], Any]]:
    """Each way in which a page reads a value of its address; what is read is one of those that there are."""
    def one(name: Name) -> None:
        assert state.open_choice(name, OPTIONS) in OPTIONS

    def several() -> None:
        assert {*state.open_several(GROUPS, OPTIONS)} <= {*OPTIONS}

    def step() -> None:
        assert board.word("tour", OPTIONS, "a") in OPTIONS

    def logit() -> None:
        assert -4 <= board.Board(shown=False).number("z0", "", (-4.0, 4.0), 0.1, 1.0, "") <= 4

    yield from (partial(one, name) for name in CHOICES)
    yield from (several, step, logit, partial(state.read_id, state.RUN))
    yield lambda: state.open_experiment(services.store())
    for text in [text for values in given.values() for text in values][:3]:
        yield from (partial(stored.settings, text), partial(imported.load, text))


def test_any_link_to_launch_is_a_draft_and_sentences(record_property: Callable[[str, object], None]) -> None:
    hunt("links", lambda dice: query(dice, FIELDS), launch, record_property, share=0.4)


def test_any_edit_of_an_address_is_one_or_a_sentence(record_property: Callable[[str, object], None]) -> None:
    hunt("links", lambda dice: edits(dice) if dice.random() < 0.9 else value(dice), edited, record_property, share=0.3)


def test_any_address_of_a_page_is_read_or_a_sentence(
    browser: Callable[[dict[str, list[str]]], None], record_property: Callable[[str, object], None],
) -> None:
    def act(asked: tuple[str, dict[str, list[str]]]) -> str:
        page, given = asked
        for sentence in address.problems(page, given):
            said(sentence)
        ends = set()
        for door in doors(given):
            browser(given)
            try:
                door()
                ends.add("taken")
            except StoreError as error:
                said(error)
                ends.add("refused")
        return "refused" if "refused" in ends else "taken"

    hunt("links", lambda dice: (dice.choice(PAGES), query(dice, EVERY)), act, record_property, share=0.3)
