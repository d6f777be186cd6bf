"""The Gates page: gates over training, the mean over seeds with intervals, order, and the data behind them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from app.gates import balance
from app.show import frames, weights
from compt_core.training.events import Event, Outcome

TASKS = ("cola", "sst2", "stsb")


def words(app):
    text = "\n".join(part.value for kind in (app.markdown, app.caption, app.info, app.error) for part in kind)
    return re.sub(r"\\(.)", r"\1", text)


@pytest.fixture
def trained(lab, store):
    """An experiment of two seeds whose runs recorded their gates: alpha moves, beta stays at 1."""
    results = {(run.method, run.seed): run.result for run in store.runs(lab.finished(seeds=[0, 1]))}
    identity = lab.queued(seeds=[0, 1])
    for run in store.claim():
        store.started(run.id, 6, {"torch": "0"})
        store.write_events([
            Event(run.id, "gates", step, (*(0.5 + 0.01 * step * (k + 1) + 0.05 * run.seed for k in range(3)), 1, 1, 1))
            for step in (0, 3, 6) if run.method in ("spp", "scp")])
        store.finish(run.id, Outcome("completed", result=results[run.method, run.seed]))
    return identity


@pytest.fixture
def runs(lab, store):
    return frames.with_result(store.runs(lab.finished(seeds=[0, 1, 2])), "alpha")[:3]


def test_gates_over_training_bring_one_task_out_and_say_which_never_moved(visit, trained):
    app = visit("gates", exp=trained)
    assert not app.exception
    assert "alpha of stsb went from 0.50 at step 0 to 0.68 at step 6 (one run: no interval)" in words(app)
    assert "beta never moved in training: it is 1.00 for every task." in words(app)
    app.selectbox(key="task").select("cola").run()
    assert app.query_params["task"] == "cola" and "alpha of cola went from 0.50 at step 0 to 0.56" in words(app)


def test_the_mean_over_seeds_is_a_link_and_has_intervals(visit, trained):
    app = visit("gates", exp=trained, of="mean")
    assert not app.exception and "Mean over 2 seeds" in words(app)
    assert "to 0.71 ± 0.32 at step 6 (mean over 2 seeds)" in words(app)
    table = app.dataframe[0].value
    assert list(table["n"]) == [2, 2, 2] and table["alpha_half"].notna().all()
    assert [button.proto.label for button in app.get("download_button")] == ["CSV"]


def test_runs_without_recorded_gates_say_so(visit, lab):
    app = visit("gates", exp=lab.finished())
    assert not app.exception and "No gates were recorded" in words(app)


def test_the_order_is_that_of_the_attention_page(visit, lab, store):
    identity = lab.finished(tasks=["cola", "sst2", "mrpc", "stsb", "qqp"])  # mrpc and qqp are of one family
    run = frames.with_result(store.runs(identity), "alpha")[0]
    by_family, clustered = (list(visit("gates", exp=identity, order=order).dataframe[0].value["task"])
                            for order in ("family", "clustered"))
    assert by_family == ["cola", "sst2", "mrpc", "qqp", "stsb"]
    assert clustered == weights.clustered(weights.single(run))


@pytest.mark.parametrize("wrong", [{"of": "x"}, {"order": "<b>"}, {"task": "nobody"}])
def test_a_wrong_part_of_a_link_is_one_sentence(visit, trained, wrong):
    app = visit("gates", exp=trained, **wrong)
    assert not app.exception
    assert len(app.error) == 1 and "which this experiment does not have" in app.error[0].value


def test_numbers_of_several_runs_are_means_with_intervals(runs):
    moved = [replace(run, result={**run.result, "alpha": [0.1, 0.2 + 0.1 * i, 0.9]}) for i, run in enumerate(runs)]
    table = balance.numbers(moved, ["stsb", "sst2", "cola"]).set_index("task")
    assert list(table.index) == ["stsb", "sst2", "cola"]
    assert table.loc["sst2", "alpha"] == pytest.approx(0.3) and table.loc["stsb", "alpha"] == pytest.approx(0.9)
    assert table.loc["sst2", "alpha_half"] == pytest.approx(4.303 * 0.1 / 3 ** 0.5, rel=1e-3)
    one = balance.numbers(runs[:1], TASKS)
    assert list(one.columns) == ["task", *balance.NUMBERS]
    cells = balance.cells(one)
    assert len(cells) == 12 and list(cells["n"].unique()) == [1] and cells["half"].isna().all()


def test_events_are_alpha_then_beta_task_by_task():
    found = balance.over_training([(np.array([0, 4]), np.arange(2 * 2 * 3, dtype=float).reshape(2, 6))], TASKS)
    assert list(found["alpha"]["value"]) == [0, 1, 2, 6, 7, 8] and list(found["beta"]["value"]) == [3, 4, 5, 9, 10, 11]
    assert list(found["beta"]["name"]) == [*TASKS, *TASKS]
    assert not balance.is_still(found["alpha"])


def test_the_extremes_are_told_apart_only_where_seeds_do(runs):
    def with_shares(*each):
        return [replace(run, result={**run.result, "private_norm_share": list(share)})
                for run, share in zip(runs, each, strict=True)]

    clear = " ".join(balance.spread(with_shares((0.1, 0.5, 0.7), (0.12, 0.5, 0.72), (0.11, 0.5, 0.7))))
    assert "stsb leans more on its private prompt than cola" in clear and "60 ± 1 points" in clear
    assert "includes 0" not in clear
    noisy = " ".join(balance.spread(with_shares((0.1, 0.5, 0.7), (0.7, 0.5, 0.2), (0.3, 0.5, 0.9))))
    assert "the interval includes 0" in noisy
    assert balance.spread(runs[:1]) == []
