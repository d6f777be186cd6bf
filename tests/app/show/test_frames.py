"""Records to tables: orders, means, paired differences, intervals; against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.show import frames
from compt_core.scoring.metrics import mean_normalised
from compt_core.tasks.table import CATALOGUE


def row(frame, name, column="mean"):
    return frame[(frame["row"] == name) & (frame["column"] == column)].iloc[0]


def test_scores_have_a_row_per_run_and_column_in_order(lab, store):
    runs = store.runs(lab.finished(seeds="1,0", constant=("stsb",)))
    frame = frames.scores(runs)
    assert list(pd.unique(frame["column"])) == ["cola · accuracy", "cola · matthews", "sst2", "stsb · pearson",
                                                "stsb · spearman", "mean", "mean, chance = 0"]
    assert list(pd.unique(frame["method"])) == ["pt", "mst", "spp", "scp"]
    assert len(frame) == 8 * 7
    one = frame[(frame["method"] == "spp") & (frame["seed"] == 1)].set_index("column")
    stored = next(run for run in runs if run.method == "spp" and run.seed == 1).result
    assert one.loc["sst2", "value"] == stored["tasks"]["sst2"]["accuracy"]
    assert one.loc["mean", "value"] == stored["mean"]
    assert math.isnan(one.loc["stsb · pearson", "value"])
    assert list(one["constant"]) == [False, False, False, True, True, False, False]


def test_only_completed_runs_count(lab, store):
    assert frames.scores(store.runs(lab.running())).empty
    assert frames.scores(store.runs(lab.failed(seeds="1"))).empty
    assert frames.scores([]).empty and frames.summarise(frames.scores([])).empty


def test_a_mean_over_seeds_has_the_t_interval(table):
    found = row(frames.summarise(table({("pt", 0): 0.5, ("pt", 1): 0.7, ("pt", 2): 0.6})), "pt")
    assert found["value"] == pytest.approx(0.6)
    assert found["half"] == pytest.approx(4.302652729911275 * 0.1 / math.sqrt(3))  # t(.975; 2) from a table
    assert (found["n"], found["lowest"], found["highest"]) == (3, 0.5, 0.7)


def test_a_single_run_has_no_interval(table):
    found = row(frames.summarise(table({("pt", 0): 0.5})), "pt")
    assert math.isnan(found["half"]) and found["n"] == 1


def test_an_undefined_score_counts_zero_and_is_counted(table):
    found = row(frames.summarise(table({("pt", 0): None, ("pt", 1): 0.4}, constant={("pt", 0)})), "pt")
    assert (found["value"], found["undefined"], found["constant"]) == (pytest.approx(0.2), 1, 1)
    assert math.isnan(row(frames.summarise(table({("pt", 0): None})), "pt")["value"])


def test_differences_are_paired_by_seed(table):
    scores = table({("pt", 0): 0.1, ("pt", 1): 0.9, ("spp", 0): 0.2, ("spp", 1): 1.0, ("spp", 2): 0.0})
    found = row(frames.differences(scores, "pt"), "spp")
    assert found["value"] == pytest.approx(0.1) and found["n"] == 2
    assert found["half"] == pytest.approx(0.0, abs=1e-12)  # unpaired, it would be wide
    assert set(frames.differences(scores, "pt")["row"]) == {"spp"}


def test_differences_without_a_common_seed_are_empty(table):
    assert frames.differences(table({("pt", 0): 0.1, ("spp", 1): 0.2}), "pt").empty


@settings(max_examples=25)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8), st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_differences_change_sign_with_the_baseline(table, own, other):
    scores = table({**{("pt", i): v for i, v in enumerate(own)}, **{("mst", i): v for i, v in enumerate(other)}})
    there, back = row(frames.differences(scores, "pt"), "mst"), row(frames.differences(scores, "mst"), "pt")
    assert there["value"] == pytest.approx(-back["value"]) and there["half"] == pytest.approx(back["half"])
    assert there["n"] == back["n"] == len(own)


def test_reference_rows_carry_both_means():
    tasks = ["cola", "sst2"]
    majority = {"cola": {"accuracy": 0.69, "matthews": None}, "sst2": {"accuracy": 0.5}}
    bare = {"cola": {"accuracy": 0.4, "matthews": 0.1}, "sst2": {"accuracy": 0.75}}
    found = frames.reference_rows({"majority": majority, "no_prompt": bare}, tasks, CATALOGUE)
    assert row(found, "majority")["value"] == pytest.approx((0.69 + 0.5) / 2)
    assert row(found, "majority", "mean, chance = 0")["value"] == 0
    expected = mean_normalised(bare, {"cola": "accuracy", "sst2": "accuracy"}, majority)
    assert row(found, "no_prompt", "mean, chance = 0")["value"] == pytest.approx(expected)
    assert math.isnan(row(found, "majority", "cola · matthews")["value"])


@pytest.mark.parametrize("references", [None, {}, {"majority": {}, "no_prompt": {}}])
def test_missing_references_are_no_rows(references):
    assert frames.reference_rows(references, ["cola"], CATALOGUE).empty


def test_runs_without_shared_prompts_have_no_attention(lab, store):
    runs = store.runs(lab.finished())
    assert [run.method for run in frames.with_result(runs, "attention")] == ["spp", "scp"]


def test_curves_are_long_and_thinned_to_means_beyond_the_limit(lab, store):
    run = store.runs(lab.running())[0]
    steps = np.array([0, 2])
    points = [(run, steps, np.array([[1.0], [0.5]])), (run, np.array([], dtype=int), np.zeros((0, 0)))]
    found = frames.curves(points)
    assert list(zip(found["step"], found["value"], strict=True)) == [(0, 1.0), (2, 0.5)]
    assert frames.curves([]).empty
    many = pd.concat([found.assign(run=f"r{i}", seed=i, value=float(i)) for i in range(frames.MOST_LINES + 1)])
    thin = frames.thinned(many)
    assert thin["run"].nunique() == 1 and set(thin["value"]) == {frames.MOST_LINES / 2}
    assert frames.thinned(found) is found


def test_the_table_for_people_is_in_points(table):
    cells = frames.stack(frames.summarise(table({("spp", 0): 0.5})),
                         frames.reference_rows({"majority": {"sst2": {"accuracy": 0.25}}}, ["sst2"], CATALOGUE))
    found = frames.readable(cells)
    assert list(found["row"]) == ["ComPT (SPP)", "majority", "majority", "majority"]
    assert list(found["points"])[:2] == [50.0, 25.0] and list(found["runs"]) == [1, 0, 0, 0]


def test_single_values_have_no_spread_in_the_table(table):
    assert list(frames.readable(frames.summarise(table({("pt", 0): 0.5})))) == \
        ["row", "column", "points", "runs", "one label only", "undefined"]
    unread = frames.readable(frames.summarise(table({("pt", 0): 0.5, ("pt", 1): 0.5}).assign(unreadable=[0.0, 0.25])))
    assert unread["% no label"].tolist() == [12.5]
    mixed = frames.readable(frames.summarise(table({("pt", 0): 0.5, ("spp", 0): 0.5, ("spp", 1): 0.6})))
    assert math.isnan(mixed["lowest"][0]) and mixed["lowest"][1] == 50.0


def test_tasks_with_few_dev_rows_are_found(lab, store):
    runs = store.runs(lab.finished())
    assert frames.few_rows(runs) == {"cola": 20, "sst2": 20, "stsb": 20} and frames.few_rows(runs, most=20) == {}


def test_suites_name_what_the_tasks_belong_to(lab, store):
    assert frames.suites(store.experiment(lab.queued(tasks="cola,imdb,sst2"))) == "glue, set2"
    assert frames.suites(store.experiment(lab.queued(tasks="my-task"))) == "own data"
