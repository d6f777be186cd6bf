"""The glue, end to end on the tiny T5 and GLUE-8 files: records, references, cancelled runs, truncation."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from compt_core.backbone.load import find_backbone
from compt_core.methods.table import METHODS
from compt_core.planning.data import load_data
from compt_core.scoring.score import score_task
from compt_core.settings.config import build_experiment
from compt_core.tasks.fewshot import sample_dev
from compt_core.tasks.files import load_task
from compt_core.tasks.table import CATALOGUE
from compt_core.training import fleet_run
from compt_core.training.events import Log, Started
from compt_core.training.fleet_run import reference_rows, train_fleet
from compt_core.training.plan import encode_with

GLUE = ("cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte")


@pytest.fixture
def configs(glue_dir, tiny_t5):
    def make(**settings):
        raw = {"tasks": GLUE, "methods": list(METHODS), "shots": 8, "steps": 10, "eval_rows": 15, "sources": 3,
               "encoder_hidden": 16, "backbone": str(tiny_t5), "data_dir": str(glue_dir)} | settings
        return {run.method: run for run in build_experiment(raw).runs()}
    return make


def keep(run):
    return "keep"


def test_every_method_on_glue_end_to_end(configs):
    events = []
    outcomes = train_fleet(configs(), events.append, keep)
    assert list(outcomes) == list(METHODS)
    assert {e.run: e.steps for e in events if isinstance(e, Started)} == dict.fromkeys(outcomes, 10)
    for method, outcome in outcomes.items():
        assert outcome.state == "completed" and outcome.error is None
        record = json.loads(json.dumps(outcome.result, allow_nan=False))
        assert set(record["tasks"]) == set(GLUE) and record["eval_rows"] == dict.fromkeys(GLUE, 15)
        assert set(record["tasks"]["stsb"]) == {"pearson", "spearman"}
        primary = [record["tasks"][t]["pearson" if t == "stsb" else "accuracy"] or 0.0 for t in GLUE]
        assert record["mean"] == pytest.approx(np.mean(primary))
        assert record["fixed_batch_loss"]["final"] < record["fixed_batch_loss"]["initial"]
        assert record["trainable_parameters"] == sum(v.size for k, v in outcome.prompts.items() if "." in k)
        assert outcome.prompts["composed"].shape == (8, 6 if method == "scp" else 5, 24)
        assert outcome.scores["stsb"].shape == (15, 26)
        if not METHODS[method].composed:
            assert record["attention"] is record["alpha"] is record["beta"] is record["normalizer"] is None
        else:
            assert np.array(record["attention"]).shape == (8, 3)
            assert np.sum(record["attention"], axis=1) == pytest.approx(np.ones(8))
            share = np.array(record["alpha"]) / (np.array(record["alpha"]) + record["beta"])
            assert record["private_share"] == pytest.approx(share)
            assert record["normalizer"] == "softmax" and len(record["private_norm_share"]) == 8


def test_the_record_of_pt_and_mst_knows_no_weights_and_gates_off_are_one(configs):
    config = configs(gates="off", attention="uniform", steps=1)["spp"]
    outcome = train_fleet({"spp": config}, lambda event: None, keep)["spp"]
    assert outcome.result["alpha"] == outcome.result["beta"] == [1.0] * 8
    assert outcome.result["attention"] == [pytest.approx([1 / 3] * 3)] * 8


def test_a_caller_may_hand_in_rows_of_its_own(configs):
    config = configs(eval_rows=None, steps=1)["pt"]
    data = load_data(config.tasks, config.data_dir, find_backbone(config.backbone))
    short = tuple(replace(one, dev=one.dev[:3]) for one in data)
    outcomes = train_fleet({"all": config, "few": config}, lambda e: None, keep,
                           load=lambda run: short if run == "few" else data)
    assert outcomes["few"].result["eval_rows"] == dict.fromkeys(GLUE, 3)
    assert min(outcomes["all"].result["eval_rows"].values()) > 3


def test_reference_rows(configs):
    rows = reference_rows(configs()["pt"])
    assert set(rows) == {"majority", "no_prompt"} and set(rows["no_prompt"]) == set(GLUE)
    assert rows["majority"]["cola"]["matthews"] is None and rows["majority"]["cola"]["accuracy"] >= 0.5


def test_cancelling_while_training_and_while_scoring(configs):
    asked, told = {"spp": 0}, []

    def control(run):
        if run == "pt":
            return "cancel"
        asked["spp"] += run == "spp"
        return "cancel" if run == "spp" and asked["spp"] > 11 else "keep"  # ten steps, then while scoring

    outcomes = train_fleet(configs(), lambda e: None, control, on_outcome=lambda run, o: told.append((run, o.state)))
    assert {run: o.state for run, o in outcomes.items()} == {
        name: "cancelled" if name in ("pt", "spp") else "completed" for name in METHODS}
    assert sorted(told) == sorted((run, o.state) for run, o in outcomes.items())
    assert outcomes["pt"].result is None


@pytest.mark.parametrize("encoder", ["residual", "mlp", "none"])
@pytest.mark.parametrize("fixed", [{}, {"gates": "fixed", "alpha": 0.2, "beta": 0.8, "attention": "uniform"}])
def test_every_method_and_encoder_is_recorded(configs, encoder, fixed):
    outcomes = train_fleet(configs(encoder=encoder, steps=1, tasks=["sst2", "rte"], **fixed), lambda e: None, keep)
    assert {o.state for o in outcomes.values()} == {"completed"}
    for method in ("spp", "scp"):
        result = outcomes[method].result
        assert result["normalizer"] == (None if fixed else "sparsemax")
        if fixed:
            assert (result["alpha"], result["beta"]) == ([pytest.approx(0.2)] * 2, [pytest.approx(0.8)] * 2)


def test_a_gate_that_the_form_does_not_have_is_recorded_as_one(configs):
    one = configs(form="gated_sum", gates="fixed", alpha=0.5, beta=0.1, steps=1, tasks=["sst2", "rte"])["spp"]
    result = train_fleet({"spp": one}, lambda e: None, keep)["spp"].result
    assert (result["alpha"], result["beta"]) == ([0.5, 0.5], [1.0, 1.0])


def test_a_run_that_fails_while_it_is_recorded_fails_alone(configs, monkeypatch):
    inspect = fleet_run.inspect_run

    def broken(fleet, run):
        if run == "pt":
            raise OSError("no space left")
        return inspect(fleet, run)

    monkeypatch.setattr(fleet_run, "inspect_run", broken)
    outcomes = train_fleet(configs(steps=1, tasks=["sst2", "rte"]), lambda e: None, keep)
    assert {run: o.state for run, o in outcomes.items()} == {
        name: "failed" if name == "pt" else "completed" for name in METHODS}


def test_runs_with_different_scoring_settings_are_scored_as_alone(configs):
    different = {"a": configs(steps=1)["spp"], "b": configs(steps=1, scoring="mean")["spp"],
                 "c": configs(steps=1, position="before_all", prefix="native")["spp"]}
    together = train_fleet(different, lambda e: None, keep)
    for run, config in different.items():
        alone = train_fleet({run: config}, lambda e: None, keep)[run]
        for task, scores in alone.scores.items():
            np.testing.assert_allclose(together[run].scores[task], scores, rtol=1e-4, atol=1e-4)


def test_references_are_of_the_scored_dev_rows_and_of_no_prompt_at_all(configs, backbone, glue_dir):
    config = configs(tasks=["rte", "mrpc"])["pt"]
    rows = reference_rows(config, backbone=backbone)
    for task in CATALOGUE.named(config.tasks):
        dev = sample_dev(load_task(task, str(glue_dir)), config.eval_rows)
        labels = [row.label for row in dev]
        top = max(labels.count(label) for label in set(labels))
        assert rows["majority"][task.name]["accuracy"] == top / len(labels)
        encoded = encode_with(backbone.tokenizer, config, task, dev)
        bare = score_task(backbone, task, dev, encoded, {"": torch.zeros(0, backbone.hidden)}, prefix="neutral")[""]
        assert rows["no_prompt"][task.name] == bare.metrics


def test_no_prompt_means_no_vector(configs, backbone, monkeypatch):
    score, lengths = fleet_run.score_task, []

    def recorded(backbone, task, rows, encoded, prompts, **options):
        lengths.extend(len(prompt) for prompt in prompts.values())
        return score(backbone, task, rows, encoded, prompts, **options)

    monkeypatch.setattr(fleet_run, "score_task", recorded)
    reference_rows(configs(tasks=["rte", "mrpc"])["pt"], backbone=backbone)
    assert lengths == [0, 0]


def test_references_can_be_stopped(configs):
    assert reference_rows(configs()["pt"], stopped=lambda: True) is None


def test_a_fleet_whose_runs_are_all_cancelled_ends_quietly(configs):
    outcomes = train_fleet(configs(), lambda e: None, lambda run: "cancel")
    assert {o.state for o in outcomes.values()} == {"cancelled"}


def test_what_truncation_cut_is_counted(configs):
    short = train_fleet({"pt": configs(max_tokens=16, steps=1)["pt"]}, lambda e: None, keep)["pt"].result["cut"]
    assert min(short["mrpc"].values()) > 0
    whole = train_fleet({"pt": configs(max_tokens=4096, steps=1)["pt"]}, lambda e: None, keep)["pt"].result["cut"]
    assert all(cut == {"train": 0, "dev": 0} for cut in whole.values())


def test_the_log_tells_each_methods_initial_prompt_rms(configs):
    events = []
    outcomes = train_fleet({"spp": configs(steps=1)["spp"]}, events.append, keep)
    first = next(e.text for e in events if isinstance(e, Log))
    assert f"initial prompt RMS {outcomes['spp'].result['prompt_rms']['initial']:.3f}" in first
