"""`whatif`: an edit of a finished run in the terminal; without one, the stored numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compt_core.runs.store import Store

SMALL = ("--tasks", "demo-rte,demo-mnli", "--methods", "spp", "--shots", "4", "--steps", "2", "--eval-rows", "9",
         "--backbone", "demo", "--set", "sources=2")


@pytest.fixture
def run(call):
    assert call("run", *SMALL).code == 0
    return Store().runs()[0]


def test_an_edit_is_scored_beside_what_was_trained_and_written(call, run):
    out = Path("effect.json")
    done = call("whatif", run.id, "--edit", "beta:demo-rte=0", "--json", out)
    assert done.code == 0 and not done.err
    assert "demo-mnli" in done.out and "+0.0" in done.out and "mean" in done.out
    written = json.loads(out.read_text())
    assert written["edit"] == "beta:demo-rte=0" and set(written["tasks"]) == {"demo-rte", "demo-mnli"}
    assert written["tasks"]["demo-mnli"]["after"] == run.result["tasks"]["demo-mnli"]["accuracy"]


def test_without_an_edit_it_prints_the_stored_numbers(call, run):
    done = call("whatif", run.id)
    for task in ("demo-rte", "demo-mnli"):
        score = f"{100 * run.result['tasks'][task]['accuracy']:.1f}"
        assert f"│ {task} " in done.out.replace("  ", " ").replace("  ", " ") and done.out.count(score) >= 2


@pytest.mark.parametrize(("words", "said"), [
    (("zzzzzzzzzz",), "There is no run 'zzzzzzzzzz'"), (("RUN", "--edit", "mute=s7"), "s0 to s1"),
    (("RUN", "--edit", "alpha=0;beta=0"), "must not both be 0"), (("RUN", "--json", "nowhere/x.json"), "--json")])
def test_bad_input_is_one_line(call, run, words, said):
    done = call("whatif", *(run.id if word == "RUN" else word for word in words))
    assert done.code == 2 and said in done.err and done.err.count("\n") == 1 and not done.out
