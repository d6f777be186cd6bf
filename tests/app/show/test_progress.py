"""Progress never says more than the store: no 100% before completed, no time left before it was measured."""

from __future__ import annotations

import dataclasses

import pytest

from app.show import progress
from compt_core.runs.record import State


@pytest.fixture
def run(lab, store):
    record = store.runs(lab.running())[0]

    def changed(**values):
        return dataclasses.replace(record, **{"request": None, "heartbeat": 100.0, **values})

    return changed


def test_only_completed_is_one(run):
    assert progress.fraction(run(state=State.COMPLETED, step=9, steps=9)) == 1.0
    assert progress.fraction(run(step=9, steps=9)) < 1.0
    assert progress.fraction(run(step=3, steps=9)) == pytest.approx(1 / 3)
    assert progress.fraction(run(step=0, steps=None)) == 0.0
    assert progress.overall([run(state=State.COMPLETED), run(state=State.FAILED, step=9, steps=9)]) < 1.0
    assert progress.overall([run(state=State.COMPLETED)] * 2) == 1.0
    assert progress.overall([]) == 0.0


def test_time_left_follows_the_measured_pace(run):
    assert progress.seconds_left(run(step=6, steps=10, heartbeat=110.0), (100.0, 1)) == pytest.approx(8.0)


@pytest.mark.parametrize(("values", "first"), [
    ({"step": 6, "steps": 10}, None),  # nothing seen before
    ({"step": 5, "steps": 10}, (90.0, 1)),  # four steps
    ({"step": 6, "steps": 10}, (97.1, 1)),  # 2.9 seconds
    ({"step": 6, "steps": 10}, (90.0, 6)),  # no step since
    ({"step": 6, "steps": None}, (90.0, 1)),
    ({"step": 10, "steps": 10}, (90.0, 1)),  # scoring
    ({"step": 6, "steps": 10, "state": State.PAUSED}, (90.0, 1)),
])
def test_there_is_no_time_left_without_a_pace(run, values, first):
    assert progress.seconds_left(run(**values), first) is None


@pytest.mark.parametrize(("values", "words"), [
    ({"steps": None}, "loading backbone and data"),
    ({"step": 3, "steps": 9}, "training"),
    ({"step": 9, "steps": 9}, "scoring dev rows"),
    ({"step": 3, "steps": 9, "request": "cancel"}, "cancelling …"),
    ({"step": 3, "steps": 9, "request": "pause"}, "pausing …"),
    ({"state": State.INTERRUPTED}, "interrupted"),
])
def test_a_phase_says_what_happens(run, values, words):
    assert progress.phase(run(**values)) == words


def test_the_headline_says_what_is_measured_and_no_more(run):
    training, scoring = run(step=4, steps=10), run(step=9, steps=9)
    assert progress.headline([training], {}) == "1 run: 1 running. Time left: measuring …"
    assert progress.headline([training, run(state=State.QUEUED)], {training.id: 61.0}) \
        == "2 runs: 1 queued, 1 running. About 1 min 1 s of training left for the runs under way, then scoring."
    assert progress.headline([scoring], {scoring.id: None}).endswith("Trained; scoring dev rows.")
    assert list(progress.table([training, scoring], {})["left"]) == ["measuring …", "scoring dev rows"]
    assert progress.headline([run(state=State.COMPLETED)], {}) == "1 run: 1 completed."


def test_settled_means_that_nothing_moves_on_its_own(run):
    still = [run(state=state) for state in State if state not in (State.RUNNING, State.QUEUED)]
    assert progress.settled(still)
    assert not progress.settled([*still, run(state=State.QUEUED)])


@pytest.mark.parametrize(("seconds", "words"), [
    (0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (80, "1 min 20 s"), (7200, "2 h"), (7265, "2 h 1 min")])
def test_durations_in_words(seconds, words):
    assert progress.duration(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(-5, "just now"), (59, "just now"), (60, "1 minute ago"),
                                                (7300, "2 hours ago"), (200000, "2 days ago")])
def test_ages_in_words(seconds, words):
    assert progress.ago(1000.0, 1000.0 + seconds) == words


def test_equal_failures_are_one_message(run):
    failed = [run(state=State.FAILED, error_type="ValueError", error_message=text) for text in ("a", "b", "b")]
    assert [(key, len(runs)) for key, runs in progress.failures([*failed, run()])] \
        == [(("ValueError", "b"), 2), (("ValueError", "a"), 1)]


def test_every_state_has_a_symbol():
    assert set(progress.SYMBOL) == set(State) and len(set(progress.SYMBOL.values())) == len(State)
