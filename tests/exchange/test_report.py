"""The results as JSON, read by the schema that other programs rely on, and as the terminal's table."""

from __future__ import annotations

import io
import json
from dataclasses import fields, replace
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console

from compt_core.exchange.differences import against_no_prompt
from compt_core.exchange.report import accuracy_table, experiment_json
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.tasks.table import CATALOGUE

Metric = Literal["accuracy", "f1", "macro_f1", "matthews", "pearson", "spearman"]
Score = float | None
Scores = dict[str, dict[Metric, Score]]


class RunJson(BaseModel):
    """A run of the JSON; further keys are allowed, these must be there and of these types."""

    model_config = ConfigDict(strict=True, extra="allow")

    run: str
    variant: str
    method: Literal["pt", "mst", "mpt", "spp", "scp"]
    shots: int
    seed: int
    state: str
    tasks: Scores | None
    mean: float | None
    mean_normalised: float | None
    attention: list[list[float]] | None
    alpha: list[float] | None
    beta: list[float] | None
    trainable_parameters: int | None
    train_seconds: float | None
    eval_seconds: float | None


class References(BaseModel):
    """Scores of the untrained reference rows."""

    model_config = ConfigDict(strict=True, extra="forbid")

    majority: Scores
    no_prompt: Scores


class ExperimentJson(BaseModel):
    """What --json writes."""

    model_config = ConfigDict(strict=True, extra="forbid")

    experiment: str
    runs: list[RunJson] = Field(min_length=1)
    references: References


def read(text: str) -> ExperimentJson:
    """The JSON by its schema, with what the schema's types cannot say."""
    experiment = ExperimentJson.model_validate_json(text)
    for run in experiment.runs:
        if run.state != "completed":
            continue
        assert run.tasks is not None
        assert run.mean is not None
        assert None not in (run.trainable_parameters, run.train_seconds, run.eval_seconds, run.mean_normalised)
        for metrics in run.tasks.values():
            for metric, value in metrics.items():
                assert value is None or (0 if metric in ("accuracy", "f1") else -1) <= value <= 1
        parts = (run.attention, run.alpha, run.beta)
        if run.method in ("pt", "mst"):
            assert parts == (None, None, None)
        else:
            assert [len(part or ()) for part in parts] == [len(run.tasks)] * 3
            assert len({len(row) for row in run.attention or ()}) == 1
    return experiment


RESULT: dict[str, Any] = {
    "tasks": {"cola": {"accuracy": 0.69, "matthews": None}, "rte": {"accuracy": 0.5}}, "mean": 0.595,
    "mean_normalised": -0.1, "attention": None, "alpha": None, "beta": None, "trainable_parameters": 10,
    "train_seconds": 1.5, "eval_seconds": 0.5, "constant": {"cola": True, "rte": False},
    "eval_rows": {"cola": 100, "rte": 90},
}
COMPOSED = RESULT | {"tasks": {"cola": {"accuracy": 0.71, "matthews": 0.1}, "rte": {"accuracy": 0.6}}, "mean": 0.655,
                     "constant": {"cola": False, "rte": False}, "attention": [[0.4, 0.6], [1.0, 0.0]],
                     "alpha": [0.5, 0.5], "beta": [1.0, 1.0]}
NO_PROMPT = f"{100 * ((0.31 - 0.69) / 0.31 + (0.47 - 0.53) / 0.47) / 2:.1f}"  # majority at 0, perfection at 1
REFERENCES = {"majority": {"cola": {"accuracy": 0.69, "matthews": None}, "rte": {"accuracy": 0.53}},
              "no_prompt": {"cola": {"accuracy": 0.31, "matthews": None}, "rte": {"accuracy": 0.47}}}


def run(**changes: Any) -> RunRecord:
    blank = {field.name: None for field in fields(RunRecord)}
    config = {"tasks": ["cola", "rte"], "method": changes.get("method", "pt"), "sources": 3, "prompt_length": 5}
    return RunRecord(**{**blank, "id": "r1", "method": "pt", "shots": 8, "seed": 0, "state": State.COMPLETED,
                        "result": RESULT, "config": config} | changes)


def experiment(**changes: Any) -> ExperimentRecord:
    config = {"tasks": ["cola", "rte"], "backbone": "demo"}
    return ExperimentRecord(**{"id": "e1", "owner": "local", "created": 0.0, "config": config,
                               "references": REFERENCES, "states": {}, "tasks": CATALOGUE} | changes)


def dump(exp: ExperimentRecord, runs: list[RunRecord]) -> str:
    return json.dumps(experiment_json(exp, runs), allow_nan=False)


def table(exp: ExperimentRecord, runs: list[RunRecord]) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(accuracy_table(exp, runs))
    return out.getvalue()


def row(shown: str, *starts: str) -> list[str]:
    """The cells of the first row of a table that starts like that, from the metric on."""
    rows = ([cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│"))
    return next(cells for cells in rows if cells[:len(starts)] == list(starts))[1:]


# --- JSON


def test_completed_runs_follow_the_schema() -> None:
    written = read(dump(experiment(), [run(), run(id="r2", method="spp", result=COMPOSED)]))
    assert [(r.run, r.method, r.mean) for r in written.runs] == [("r1", "pt", 0.595), ("r2", "spp", 0.655)]
    assert written.references.majority["cola"]["matthews"] is None


@pytest.mark.parametrize("state", [state for state in State if state != State.COMPLETED])
def test_runs_that_did_not_complete_follow_the_schema(state: State) -> None:
    failed = run(state=state, result=None, error_message="The loss is not finite.")
    written = read(dump(experiment(references=None), [failed]))
    assert (written.runs[0].state, written.runs[0].tasks, written.runs[0].mean) == (state.value, None, None)
    assert written.references.majority == written.references.no_prompt == {}


def test_what_json_cannot_say_is_null() -> None:
    nan, inf = float("nan"), float("inf")
    odd = RESULT | {"prompt_rms": {"initial": 0.1, "final": nan}, "fixed_batch_loss": {"initial": inf, "final": [nan]}}
    written = json.loads(dump(experiment(), [run(result=odd)]))["runs"][0]
    assert written["prompt_rms"] == {"initial": 0.1, "final": None}
    assert written["fixed_batch_loss"] == {"initial": None, "final": [None]}


# --- table


def test_the_table_holds_every_metric_method_and_reference() -> None:
    lines = table(experiment(), [run(), run(id="r2", method="spp", result=COMPOSED)]).splitlines()
    assert lines[0] == ("Dev scores x 100 on backbone 'demo': 8 shots, one seed: no interval, "
                        "90–100 dev rows per task")
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert cells == [
        ["cola", "accuracy", "69.0†", "71.0", "69.0", "31.0"],
        ["", "matthews", "–†", "10.0", "–", "–"],
        ["rte", "accuracy", "50.0", "60.0", "53.0", "47.0"],
        ["mean", "", "59.5", "65.5", "61.0", "39.0"],
        ["mean, chance = 0", "", "-10.0", "-10.0", "0.0", NO_PROMPT],
        ["prompt length", "", "5", "5", "", ""],
        ["source prompts", "", "–", "3", "", ""],
        ["trained numbers", "", "10", "10", "", ""],
    ]


def test_answers_that_are_no_label_are_marked_and_counted() -> None:
    runs = [run(result=RESULT | {"unreadable": {"cola": 0.0, "rte": 0.125}}),
            run(id="r2", method="spp", result=COMPOSED)]
    shown = table(replace(experiment(), references=experiment().references | {"unreadable": {"rte": 1.0}}), runs)
    assert row(shown, "rte")[1:] == ["50.0§", "60.0", "53.0", "47.0§"]
    assert "§ some answers are not a label (rte up to 100.0%)" in " ".join(shown.split())
    assert "§" not in table(experiment(), [run()])
    assert experiment_json(experiment(), runs)["runs"][0]["unreadable"] == {"cola": 0.0, "rte": 0.125}


def test_seeds_are_averaged_and_shots_stand_apart() -> None:
    runs = [run(id=f"r{shots}{seed}", shots=shots, seed=seed, result=COMPOSED | {"mean": (shots + seed) / 100})
            for shots in (4, 8) for seed in (0, 2)]
    shown = table(experiment(), runs)
    assert "4, 8 shots, mean ± half of the 95% t-interval over 2 seeds" in shown
    assert "n = " not in shown
    # two values 2 apart: standard error 1, times t of one degree of freedom, 12.706
    four, eight, means = (shown.split(title)[1] for title in ("\n4 shots", "\n8 shots", "\nmean over tasks"))
    assert row(four, "mean")[1] == "5.0 ±12.7" and row(eight, "mean")[1] == "9.0 ±12.7"
    assert row(four, "rte")[1] == row(eight, "rte")[1] == "60.0 ±0.0"
    assert row(means, "4") == ["5.0 ±12.7"] and row(means, "8") == ["9.0 ±12.7"]


def test_a_trifle_below_0_is_no_minus_0() -> None:
    assert row(table(experiment(), [run(result=RESULT | {"mean_normalised": -1e-9})]), "mean, chance = 0")[1] == "0.0"


def test_columns_of_different_size_say_theirs() -> None:
    runs = [run(), *(run(id=f"r{seed}", method="spp", seed=seed, result=COMPOSED) for seed in range(3))]
    shown = table(experiment(), runs)
    assert "interval over 1–3 seeds" in shown
    assert "n = 1" in shown
    assert "n = 3" in shown
    assert row(shown, "rte")[1:3] == ["50.0", "60.0 ±0.0"]


def test_an_undefined_score_counts_0_beside_defined_ones() -> None:
    scores = [{"accuracy": 0.7, "matthews": value} for value in (None, 0.2)]
    runs = [run(id=f"r{seed}", seed=seed, result=COMPOSED | {"tasks": COMPOSED["tasks"] | {"cola": cola}})
            for seed, cola in enumerate(scores)]
    shown = table(experiment(), runs)
    assert row(shown, "", "matthews")[1] == "10.0 ±127.1–"
    assert "undefined for some seed, which counts as 0 in means" in " ".join(shown.split())
    none = [run(id=f"r{seed}", seed=seed) for seed in range(2)]
    assert row(table(experiment(), none), "", "matthews")[1] == "–†"


def test_shots_per_label_are_named() -> None:
    exp = experiment(config={"tasks": ["cola", "rte"], "backbone": "demo", "shots_per": "class"})
    assert "'demo': 8 shots per label, one seed" in table(exp, [run()])
    assert "8 shots per label, one seed" not in table(experiment(), [run()])


def test_rows_left_out_or_cut_are_counted_below() -> None:
    first = RESULT | {"cut": {"cola": {"train": 0, "dev": 0}, "rte": {"train": 1, "dev": 4}},
                      "skipped": {"cola": {"train": 0, "dev": 2}, "rte": {}}}
    second = first | {"cut": {"cola": {"train": 0, "dev": 0}, "rte": {"train": 3, "dev": 4}}}
    shown = " ".join(table(experiment(), [run(result=first), run(id="r2", seed=1, result=second)]).split())
    assert "no label, or one that is left out: cola 2 dev; " in shown
    assert "; with text cut at max_tokens: rte 3 train, 4 dev." in shown
    whole = {"cola": {"train": 0, "dev": 0}}
    assert "Rows " not in table(experiment(), [run(result=RESULT | {"cut": whole, "skipped": whole})])
    assert "Rows " not in table(experiment(), [run()])


def test_what_to_mind_stands_below_only_where_it_applies() -> None:
    dagger, undefined = "† some run gave the same answer for every row (cola)", "– undefined"
    first, second = table(experiment(), [run()]), table(experiment(), [run(result=COMPOSED)])
    assert dagger in first
    assert "read Matthews and 'mean, chance = 0'" in " ".join(first.split())
    assert undefined in first
    assert dagger not in second
    assert undefined not in second
    assert "Original T5 checkpoints were trained on GLUE, and FLAN-T5 was instruction-tuned" in " ".join(first.split())
    demo = RESULT | {"tasks": {"demo-mood": {"accuracy": 0.5}}, "constant": {"demo-mood": False}}
    exp = experiment(config={"tasks": ["demo-mood"], "backbone": "demo"}, references=None)
    assert "trained on GLUE" not in table(exp, [run(result=demo)])
    exp = experiment(config={"tasks": ["demo-mood"], "backbone": "english"}, references=None)
    assert "tuned on titles" in table(exp, [run(result=demo)])


def test_runs_that_did_not_complete_are_left_out() -> None:
    shown = table(experiment(), [run(), run(id="r2", method="mst", state=State.FAILED, result=None)])
    assert "MST" not in shown
    assert "PT" in shown
    assert table(experiment(), [run(state=State.QUEUED, result=None), run(state=State.FAILED, result=None)]) == \
        "Experiment e1 has no completed run yet (1 queued, 1 failed).\n"


def test_a_path_with_brackets_is_shown_as_it_is() -> None:
    config = {"tasks": ["cola", "rte"], "backbone": "/models/[red]t5[/red]"}
    assert "backbone '/models/[red]t5[/red]'" in table(experiment(config=config), [run()])


def test_variants_of_one_method_are_rows_with_their_size_and_a_paired_difference() -> None:
    runs = [run(id=f"{name}{seed}", seed=seed, config={"tasks": ["cola", "rte"], "method": "pt", "variant": name,
                                                       "prompt_length": length},
                result=RESULT | {"mean": 0.5 + seed / 100 + gain})
            for name, length, gain in (("a", 3, 0.0), ("b", 10, 0.07)) for seed in (0, 1)]
    assert [(one["variant"], one["method"]) for one in experiment_json(experiment(), runs)["runs"]] == [
        ("a", "pt"), ("a", "pt"), ("b", "pt"), ("b", "pt")]
    shown = table(experiment(), runs)
    assert row(shown, "prompt length")[1:3] == ["3", "10"]
    assert "b minus a, mean over tasks: +7.0 ± 0.0 points (95% t-interval over 2 paired seeds)." in shown


def test_each_row_is_set_against_no_prompt_task_by_task() -> None:
    one = " ".join(table(experiment(), [run(result=COMPOSED)]).split())
    # rte: .60 against .47 of 90 rows each: 1.96 * sqrt((.24 + .2491) / 90) = 14.4 points, more than the gap of 13
    assert "PT is above no prompt by more than the 95% interval (over the dev rows, from one seed) on 1 of 2 tasks: " \
           "cola +40.0 ± 12.7." in one
    seeds = [run(id=f"r{seed}", seed=seed, result=COMPOSED | {"tasks": {
        "cola": {"matthews": 0.4}, "rte": {"accuracy": 0.6 + seed / 100}}}) for seed in (0, 2)]
    assert against_no_prompt(experiment(), seeds) == [
        "PT is above no prompt by more than the 95% interval (over 2 seeds) on 1 of 1 task: rte +14.0 ± 12.7."]
    assert against_no_prompt(experiment(references=None), [run()]) == []
    correlation = {"no_prompt": {"cola": {"matthews": 0.0}}}  # of which one seed gives no interval
    assert against_no_prompt(experiment(references=correlation), seeds[:1]) == []
