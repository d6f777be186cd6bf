"""Tasks of which only the label words were learned, and prompts measured against the embeddings they stand among."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compt_core.analysis.diagnosis import diagnose
from compt_core.analysis.signatures import Finding
from compt_core.settings.config import RunConfig
from compt_core.training.events import Event, Log
from compt_core.training.task_losses import LastLosses, of_words_alone

WORDS = math.log(2) / 4  # qqp in T5's pieces: two labels alike, four tokens to a label word on average
QQP: dict[str, Any] = {"tasks": {"qqp": {"accuracy": 0.62, "f1": 0.1}}, "majority": {"qqp": {"accuracy": 0.63}},
                       "eval_rows": {"qqp": 300}, "mean_normalised": -0.03,
                       "task_loss": {"qqp": {"initial": 6.1, "final": 0.17, "words": WORDS}}}
NAMES = {"label_words", "rows_memorised"}


def found_in(result: dict[str, Any], tasks: tuple[str, ...] = ("qqp",), loss: float = 0.17) -> dict[str, Finding]:
    config = RunConfig(tasks=tasks, method="pt", steps=100).model_dump(mode="json")
    curve = np.arange(1, 101), np.geomspace(6.1, loss / 2, 100).clip(loss)[:, None]
    return {one.signature.name: one for one in diagnose(config, {"loss": curve}, steps=100, result=result).findings}


def changed(**changes: Any) -> dict[str, Any]:
    """The run on qqp with another loss, score or number of rows."""
    loss = {name: changes.pop(name) for name in ("initial", "final", "words") if name in changes}
    score = {"accuracy": changes.pop("accuracy", 0.62)}
    return QQP | {"tasks": {"qqp": score}, "task_loss": {"qqp": QQP["task_loss"]["qqp"] | loss},
                  "eval_rows": {"qqp": changes.pop("rows", 300)}} | changes


def test_a_run_that_learned_only_the_label_words_of_qqp_is_told_so() -> None:
    found = found_in(QQP)
    assert set(found) == {"label_words"} and found["label_words"].signature.severity == "problem"
    for said in ("6.10 to 0.17", "0.17", "accuracy 0.62", "majority 0.63", "300 rows", "qqp", "prefix: question"):
        assert said in found["label_words"].line


@pytest.mark.parametrize(("changes", "name"), [
    ({}, "label_words"),
    ({"accuracy": 0.68}, "label_words"),  # chance explains five points on 300 rows
    ({"accuracy": 0.69}, None),
    ({"accuracy": 0.68, "rows": 3000}, None),  # on more rows it does not
    ({"accuracy": 0.72, "rows": 20}, "label_words"),
    ({"accuracy": 0.74, "rows": 20}, None),  # ten points are ten points, however few the rows
    ({"final": 0.22}, "label_words"), ({"final": 0.23}, None),  # not even the words are learned
    ({"final": 0.13}, "label_words"), ({"final": 0.12}, "rows_memorised"), ({"final": 0.001}, "rows_memorised"),
    ({"final": 0.17, "words": math.log(2) / 2}, "rows_memorised"),  # the same loss, of shorter words
    ({"initial": 4.9}, None),  # a backbone that knew them
    ({"task_loss": {}}, None), ({"task_loss": None}, None), ({"majority": None}, None),  # of an older version
    ({"tasks": {"qqp": {"f1": 0.1}}}, None),
])
def test_where_the_finding_begins(changes: dict[str, Any], name: str | None) -> None:
    assert NAMES & set(found_in(changed(**changes))) == ({name} if name else set())


def test_the_share_of_such_tasks_is_its_number_and_a_task_that_was_learned_is_not_named() -> None:
    result = {part: {"qqp": QQP[part]["qqp"]} for part in ("tasks", "majority", "eval_rows", "task_loss")}
    for task, score, final in (("sst2", 0.91, 0.02), ("rte", 0.5, 0.01), ("mrpc", 0.9, 0.2)):
        result["tasks"][task], result["majority"][task] = {"accuracy": score}, {"accuracy": 0.52}
        result["eval_rows"][task] = 277
        result["task_loss"][task] = {"initial": 8.0, "final": final, "words": 0.35}
    found = found_in(result, ("qqp", "sst2", "rte", "mrpc"))
    assert found["label_words"].value == found["rows_memorised"].value == 0.25
    assert "rte" in found["rows_memorised"].line and "sst2" not in found["rows_memorised"].line


def test_what_is_said_of_the_whole_run_is_not_said_of_its_task_again() -> None:
    assert set(found_in(changed(final=0.001), loss=0.001)) == {"memorised"}


def test_the_loss_of_the_words_alone() -> None:
    assert of_words_alone([(5, 1), (6, 7, 8, 9, 10, 1)]) == pytest.approx(WORDS)
    assert of_words_alone([(5, 1)] * 3) == 0
    mixed = of_words_alone([(5, 1), (5, 1), (5, 1), (6, 1)])
    assert mixed == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / 2)


def test_the_last_losses_are_means_over_the_last_fifth_by_task() -> None:
    heard, last = [], LastLosses({"a": 10})
    listen = last.heard(heard.append)
    for step in range(1, 11):
        listen(Event("a", "task_loss", step, (float(step), math.nan if step < 10 else 4.0, math.nan)))
    listen(Event("a", "loss", 10, (99.0,)))
    listen(Log("a", 10, "done"))
    means = last.of("a", 3)
    assert means[:2] == (9.5, 4.0) and math.isnan(means[2]) and len(heard) == 12
    assert all(map(math.isnan, LastLosses({"b": 10}).of("b", 2)))


def test_a_trained_run_keeps_what_the_finding_needs_and_none_of_a_numeric_task(backbone: Any, glue_dir: Path) -> None:
    from compt_core.training.fleet_run import train_fleet

    config = RunConfig(tasks=("sst2", "stsb"), data_dir=str(glue_dir), steps=5, watch_rows=0, method="pt", shots=4)
    result = train_fleet({"a": config}, lambda event: None, lambda run: "keep", backbone=backbone)["a"].result
    assert result is not None and set(result["task_loss"]) == {"sst2"}
    losses = result["task_loss"]["sst2"]
    assert 0 < losses["words"] < 1 and losses["final"] < losses["initial"]
    assert result["table_deviation"] == backbone.table_deviation
    assert set(result["majority"]) == {"sst2", "stsb"} and 0.5 <= result["majority"]["sst2"]["accuracy"] <= 1


@pytest.mark.parametrize(("initial", "final", "table", "flagged"), [
    (0.4, 401.0, None, True), (0.4, 399.0, None, False),  # an older result: by the start alone
    (0.29, 291.0, 0.29, True),
    (0.5, 600.0, 13.5, False),  # 1,200 times the start, but 44 times a word
    (0.5, 13_600.0, 13.5, True),
    (20.0, 14_000.0, 13.5, False),  # it began larger than words
    (0.5, 5.0, 13.5, False), (0.4, 401.0, 0.0, True),
])
def test_a_prompt_is_too_large_by_the_size_of_words(initial: float, final: float, table: float | None,
                                                    flagged: bool) -> None:
    result: dict[str, Any] = {"prompt_rms": {"initial": initial, "final": final}}
    result |= {} if table is None else {"table_deviation": table}
    found = found_in({"mean": 0.5} | result)
    assert ("prompt_exploded" in found) == flagged
    if flagged and table:
        assert f"{final / table:,.0f} times the size of a word's embedding" in found["prompt_exploded"].line
