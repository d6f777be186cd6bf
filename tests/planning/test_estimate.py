"""Estimates: rates of a device are found again from a few fleets, and nothing is claimed without any."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compt_core.planning.estimate import (
    Pace,
    Work,
    estimate,
    fleet_work,
    in_turn,
    memory,
    of_backbone,
    pace_of,
    place,
    run_work,
)

RATES = {"tokens": 3e-5, "steps": 4e-3, "numbers": 2e-9, "scored": 9e-6}
SHAPES = (Work(200, 1.2e6, 4e8, 5e5), Work(20, 4e5, 1e7, 1e4), Work(500, 9e5, 9e8, 2e6), Work(50, 2e6, 2e7, 1e5))


def taken(work: Work, slower: float = 1.0) -> Pace:
    train = RATES["tokens"] * work.tokens + RATES["steps"] * work.steps + RATES["numbers"] * work.numbers
    return Pace("here", work, slower * train, slower * RATES["scored"] * work.scored)


def seconds(pace: Pace) -> float:
    return pace.train_seconds + pace.eval_seconds


def test_nothing_measured_nothing_claimed():
    assert estimate(SHAPES[0], []) is None


@given(st.integers(1, 400), st.floats(1e4, 1e7), st.floats(1e5, 1e9), st.floats(1e3, 1e6))
def test_the_rates_of_a_device_are_found_again(steps, tokens, numbers, scored):
    work = Work(steps, tokens, numbers, scored)
    found = estimate(work, [taken(shape) for shape in SHAPES])
    assert found is not None and found.fleets == len(SHAPES)
    assert (found.low + found.high) / 2 == pytest.approx(seconds(taken(work)), rel=1e-3)
    assert found.high / found.low == pytest.approx(1.2 / 0.8, rel=1e-2)


def test_a_measured_step_stands_in_until_a_fleet_has_trained():
    step = dataclasses.replace(taken(Work(1, 6e3, 2e6, 500)), measured=1e9)
    alone = estimate(SHAPES[0], [step])
    assert (alone.fleets, alone.measured) == (0, 1e9)
    assert alone.low < seconds(taken(SHAPES[0])) < alone.high
    both = estimate(SHAPES[0], [taken(SHAPES[0]), dataclasses.replace(step, train_seconds=1e6)])
    assert both == estimate(SHAPES[0], [taken(SHAPES[0])]) and both.measured is None


def test_paces_of_a_backbone_are_those_of_one_device_and_of_these_threads():
    where = [place("cpu", 3, "a" * 64), place("cpu", 2, "a" * 64), place("cpu", 3, "b" * 64),
             place("cuda", 3, "a" * 64)]
    paces = [dataclasses.replace(taken(SHAPES[0]), place=one) for one in where]
    assert of_backbone(paces, "a" * 64, 2) == [paces[1]]
    assert of_backbone(paces, "a" * 64) == [paces[0]]
    assert of_backbone(paces[::-1], "a" * 64, 2) == [paces[3]]
    assert of_backbone(paces, "c" * 64, 2) == []


def test_one_fleet_stands_for_others_by_its_tokens_in_a_wide_range():
    twice = Work(400, 2.4e6, 8e8, 1e6)
    found = estimate(twice, [taken(SHAPES[0])])
    assert found.low < 2 * seconds(taken(SHAPES[0])) < found.high
    assert found.high / found.low == pytest.approx(1.4 / 0.6)


def test_paces_that_contradict_each_other_widen_the_range():
    found = estimate(SHAPES[0], [taken(shape, slower) for shape, slower in zip(SHAPES, (1, 3, 1, 2), strict=True)])
    assert found.low < seconds(taken(SHAPES[0])) < found.high
    assert found.high / found.low > 2


def test_runs_share_their_steps_and_add_up_the_rest():
    runs = [run_work(10, 4, 25.0, 1_000, 70), run_work(30, 2, 20.0, 500, 30)]
    assert fleet_work(runs) == Work(30, 10 * 4 * 25 + 30 * 2 * 20, 10 * 1_000 + 30 * 500, 100)


def test_fleets_one_after_another_take_the_steps_of_each():
    assert in_turn([Work(30, 5, 7, 11), Work(2, 1, 3, 4)]) == Work(32, 6, 10, 15)


def test_memory_is_that_of_the_hungriest_fleet_with_the_numbers_of_this_one():
    def pace(taken):
        return Pace("cpu", Work(1, 1, 1, 1), 1.0, 1.0, taken)

    assert memory(1_000, []) is None and memory(1_000, [pace(None)]) is None
    assert memory(1_000, [pace(5e6), pace(None), pace(8e6), pace(0)]) == 8e6 + 26_000


def test_a_pace_of_another_version_is_read():
    old = {"place": "cpu", "work": {"steps": 1, "tokens": 2, "numbers": 3, "scored": 4},
           "train_seconds": 5.0, "eval_seconds": 6.0}
    assert pace_of(old).memory is None
    assert pace_of(old | {"of_tomorrow": 1, "work": old["work"] | {"of_tomorrow": 1}}) == pace_of(old)


def test_threads_count_on_a_cpu_alone():
    assert place("cpu", 2, "abc" * 20) != place("cpu", 1, "abc" * 20)
    assert place("cuda:0", 2, "abc") == place("cuda:0", 1, "abc") == "cuda:0, abc"


def test_a_trained_fleet_leaves_its_pace(backbone, glue_dir):
    from compt_core.planning.check import check
    from compt_core.settings.config import RunConfig
    from compt_core.training.fleet_run import train_fleet

    shared = {"tasks": ("sst2", "rte"), "shots": 4, "steps": 3, "batch": 5, "eval_rows": 6, "encoder_hidden": 9,
              "data_dir": str(glue_dir), "backbone": backbone.files.ref}
    configs = {m: RunConfig(method=m, **shared) for m in ("pt", "scp")}
    outcomes = train_fleet(configs, lambda event: None, lambda run: "keep", backbone=backbone)
    pace = pace_of(outcomes["pt"].result["pace"])
    assert pace == pace_of(outcomes["scp"].result["pace"])
    assert pace.place.startswith("cpu, 1 threads, ")
    assert 0 < pace.train_seconds < 60 and pace.work.steps == 3
    assert 1e7 < pace.memory < 1e11, "bytes: a process with torch in it"
    from compt_core.settings.config import build_experiment

    before = check(build_experiment({**shared, "methods": ["pt", "scp"], "shots": [4], "seeds": [0]})).work
    assert before.numbers == pace.work.numbers
    assert before.tokens == pytest.approx(pace.work.tokens, rel=0.25)  # the lengths of a sample of dev rows
    assert before.scored == pytest.approx(pace.work.scored, rel=0.25)


def test_a_fleet_that_lost_a_run_leaves_none(backbone, glue_dir):
    from compt_core.settings.config import RunConfig
    from compt_core.training.fleet_run import train_fleet

    shared = {"tasks": ("sst2",), "shots": 4, "steps": 3, "batch": 5, "eval_rows": 6, "data_dir": str(glue_dir),
              "encoder_hidden": 9, "backbone": backbone.files.ref}
    configs = {m: RunConfig(method=m, **shared) for m in ("pt", "mst")}
    outcomes = train_fleet(configs, lambda event: None, lambda run: "cancel" if run == "mst" else "keep",
                           backbone=backbone)
    assert outcomes["pt"].result["pace"] is None
