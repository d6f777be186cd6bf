"""What stands in an address: each page knows its own names, and says what else a link brings."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from app import address
from app.show.captions import plain
from app.ui import names as shared
from app.ui import state

PAGES = Path(__file__).resolve().parents[2] / "pages"


def test_every_page_has_its_names_and_every_name_a_page():
    assert {*address.NAMES, "launch"} == {page.stem for page in PAGES.glob("*.py")}
    assert all(len(names) == len(set(names)) for names in address.NAMES.values())


def test_a_name_is_declared_once_and_known_to_a_page():
    """Two pages with one name would otherwise give it two meanings, and one page's choice would become the other's."""
    known = [name for names in address.NAMES.values() for name in names if isinstance(name, state.Name)]
    declared = [value for module in [shared, *(import_module(f"app.{page}.names") for page, names in
                                               address.NAMES.items() if names)]
                for value in vars(module).values() for value in (value if isinstance(value, tuple) else [value])
                if isinstance(value, state.Name)]
    assert {id(name) for name in declared} == {id(name) for name in known}
    assert len({id(name) for name in known}) == len(set(known))
    assert all(name.words for name in known)


@pytest.mark.parametrize(("page", "given", "says"), [
    ("home", {"page": ["runs"]}, "this part of the link is left out. The page 'runs' has the address /runs."),
    ("home", {"page": ["zzz"]}, "sets 'page'. This page reads nothing of that name"),
    ("attention", {"at": ["99"]}, "sets 'at'. This page reads nothing of that name"),
    ("accuracy", {"metrics": ["f1"]}, "this part of the link is left out. Did you mean "
     "'metric'?"),
    ("runs", {name: [""] for name in "vwxyz"}, "sets 'v', 'w', 'x' and 2 more."),
    ("runs", {"exp": ["a", "b\x1b"]}, r"This link gives 'exp' 2 times. The last one, 'b\x1b', is used."),
])
def test_what_a_link_brings_in_vain_is_said(page, given, says):
    [said] = address.problems(page, given)
    assert says in said


def test_what_a_page_knows_needs_no_word():
    for page, names in address.NAMES.items():
        assert address.problems(page, {name: ["1"] for name in names}) == []
    assert address.problems("launch", {"no-such": ["1"], "steps": ["1", "2"]}) == []  # Launch says it itself


@pytest.mark.parametrize(("page", "name"), [("home", "page"), ("attention", "at"), ("learn", "step")])
def test_a_page_says_what_it_left_out_and_is_shown(visit, lab, page, name):
    lab.finished(methods="spp", seeds="1,2")
    app = visit(page, **{name: "7"})
    assert not app.exception and not app.error and app.title
    assert f"This link also sets '{name}'" in plain([app.warning[0].value])


def test_the_mean_over_seeds_says_that_a_step_of_the_link_is_of_one_run(visit, lab):
    lab.finished(methods="spp", seeds="1,2")
    app = visit("attention", of="mean", step="99999")
    assert any("The step '99999' of this link is for " in plain([part.value]) for part in app.caption)
    assert not any("of this link" in part.value for part in visit("attention", of="mean").caption)


def test_a_link_to_launch_with_a_setting_twice_is_a_sentence_beside_the_field(visit):
    app = visit("launch", steps=["2", "3"], batch="7")
    assert not app.exception
    assert any("This link gives 'steps' 2 times" in plain([part.value]) for part in app.markdown)
    assert app.number_input(key="form.batch").value == 7


# Views that read as many names as there are.
WALKS = [("runs", {}), ("accuracy", {"task": "cola"}), ("attention", {"task": "cola"}), ("gates", {}),
         ("whatif", {"part": "ablation", "task": "cola"}), ("space", {"map": "tsne"})]


def test_a_page_reads_no_name_that_its_address_does_not_have(visit, lab, monkeypatch):
    lab.finished(methods="pt,spp", seeds="1,2", references=False)
    read: list[str] = []
    one, several = state.open_choice, state.open_several
    monkeypatch.setattr(state, "open_choice", lambda name, allowed: read.append(name) or one(name, allowed))
    monkeypatch.setattr(state, "open_several", lambda name, allowed: read.append(name) or several(name, allowed))
    for page, query in WALKS:
        read.clear()
        app = visit(page, **query)
        assert not app.exception and not app.warning
        assert {*read} <= {*address.NAMES[page]}, page
