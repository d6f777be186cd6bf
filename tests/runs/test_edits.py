"""Named edits: kept, listed, deleted by who made them, and gone with their run."""

from __future__ import annotations

import pytest

from compt_core.errors import StoreError
from compt_core.runs.edits import LONGEST_NAME, MOST
from compt_core.runs.store import Store

CHANGES = {"demo-rte": {"before": 0.5, "after": None}}


@pytest.fixture
def runs(store, grid):
    return [run.id for run in store.runs(store.submit(grid(seeds=[0, 1])))]


def test_an_edit_is_kept_as_it_was_given_and_others_see_it(store, home, runs):
    saved = store.edits.save(runs[0], "  no  s2 ", "mute=s2", CHANGES)
    assert (saved.name, saved.text, saved.changes) == ("no s2", "mute=s2", CHANGES)
    store.edits.save(runs[1], "no s2", "mute=s2", CHANGES)  # of another run
    assert Store(home).edits.of(runs)[0] == saved and len(store.edits.of(runs[1:])) == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * (LONGEST_NAME + 1), "a\x00b"])
def test_a_name_that_is_none_is_a_sentence(store, runs, name):
    with pytest.raises(StoreError, match="must be 1 to 60 printable characters"):
        store.edits.save(runs[0], name, "mute=s2", CHANGES)


def test_a_name_is_given_once_and_a_run_keeps_a_bounded_number(store, runs):
    for number in range(MOST):
        store.edits.save(runs[0], str(number), "mute=s2", CHANGES)
    with pytest.raises(StoreError, match="already"):
        store.edits.save(runs[0], "7", "mute=s1", CHANGES)
    with pytest.raises(StoreError, match=f"at most {MOST} edits"):
        store.edits.save(runs[0], "one more", "mute=s1", CHANGES)


def test_a_run_that_is_not_there_keeps_none(store):
    with pytest.raises(StoreError, match="There is no run"):
        store.edits.save("zzzzzzzzzz", "x", "mute=s2", CHANGES)


def test_only_who_made_an_edit_deletes_it_and_it_goes_with_its_run(store, runs):
    first, second = (store.edits.save(run, "x", "mute=s2", CHANGES, owner="ana") for run in runs[:2])
    store.edits.delete(first.id)  # somebody else's
    assert len(store.edits.of(runs)) == 2
    store.edits.delete(first.id, owner="ana")
    store.edits.delete(first.id, owner="ana")
    assert store.edits.of(runs) == [second]
    store.delete(runs[1])
    assert store.edits.of(runs) == []
