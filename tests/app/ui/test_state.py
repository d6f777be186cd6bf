"""What the address and the session hold: names declared by pages, and the ways that clear them without a list."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import pytest

from app.ui import state
from app.ui.state import EXPERIMENT, RUN, Name
from compt_core.errors import StoreError

SIZE, AT = Name("size", "size of shoe"), Name("at", "place", of_one=True)
OPTIONS = ["small", "large"]


class Address(dict):
    """Streamlit's query parameters, as far as they are used here."""

    def from_dict(self, values):
        self.clear()
        self.update(values)


@pytest.fixture
def browser(monkeypatch):
    page = SimpleNamespace(query_params=Address(), session_state={})
    monkeypatch.setattr(state, "st", page)
    return page


def test_a_name_is_its_text_and_copies_keep_what_it_means():
    assert (SIZE, f"?{SIZE}=") == ("size", "?size=") and {SIZE: 1} == {"size": 1}
    for made in (copy.deepcopy(AT), pickle.loads(pickle.dumps(AT))):
        assert (made, made.words, made.of_one) == ("at", "place", True)


def test_a_wrong_value_is_refused_in_the_words_of_its_name(browser):
    browser.query_params["size"] = "huge"
    with pytest.raises(StoreError, match="This link names the size of shoe 'huge', which this experiment does not"):
        state.open_choice(SIZE, OPTIONS)


@pytest.mark.parametrize(("name", "next_one"), [(SIZE, "large"), (AT, "small")])
def test_a_choice_stays_in_the_session_unless_it_is_of_one_run(browser, name, next_one):
    browser.query_params[name] = "large"
    assert state.open_choice(name, OPTIONS) == "large"
    browser.query_params.clear()
    assert state.open_choice(name, OPTIONS) == next_one


def test_another_experiment_takes_everything_else_out_of_the_address(browser):
    browser.query_params.update({EXPERIMENT: "old", RUN: "r", "size": "large", "edit": "mute=s0", "no-such": "1"})
    browser.session_state["pick"] = "new"
    state.go_to_experiment("pick")
    assert browser.query_params == {EXPERIMENT: "new"}


def test_the_way_out_of_a_wrong_link_forgets_every_choice(browser):
    browser.query_params.update({"size": "large", "at": "large", "no-such": "1"})
    assert [state.open_choice(name, OPTIONS) for name in (SIZE, AT)] == ["large", "large"]
    state.forget()
    assert browser.query_params == {} and state.open_choice(SIZE, OPTIONS) == "small"
