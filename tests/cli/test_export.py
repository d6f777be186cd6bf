"""`export`: the numbers of --json to the last digit, as one document or as tidy tables; nothing half-written."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compt_core.analysis import answers
from compt_core.cli import output
from compt_core.exchange.export import Table, document, harmless, settings, tables, write_csv
from compt_core.exchange.report import experiment_json
from compt_core.runs.record import State
from compt_core.runs.store import Store
from compt_core.scoring.score import judge
from compt_core.settings.config import build_experiment
from compt_core.tasks.files import load_task
from compt_core.tasks.table import CATALOGUE, TASKS
from compt_core.training.events import Event, Outcome

RAW: dict[str, Any] = {
    "tasks": ["demo-mood", "demo-echo", "demo-twin"], "backbone": "demo", "methods": ["pt", "spp"], "shots": [8, 16],
    "seeds": [3, 5], "sources": 2, "eval_rows": 7, "method_settings": {"pt": {"lr_private": 0.3}}}
ROWS = 7
Call = Callable[..., Any]


def scores_of(seed: int) -> dict[str, np.ndarray]:
    """Label scores [rows, labels], other ones for each run and task."""
    draw = np.random.default_rng(seed)
    return {task: draw.normal(size=(ROWS, len(TASKS[task].labels))).astype(np.float32) for task in RAW["tasks"]}


def result(composed: bool, number: int) -> dict[str, Any]:
    base = 1 / 3 + number / 7
    tasks = {task: {"accuracy": base / (k + 2)} for k, task in enumerate(RAW["tasks"])}
    tasks["demo-twin"]["matthews"] = None
    weights = [[base / (k + s + 3) for s in range(2)] for k in range(3)]
    return {
        "tasks": tasks, "mean": base / 9, "mean_normalised": -base / 11, "attention": weights if composed else None,
        "alpha": [base, 0.1, 0.7] if composed else None, "beta": [1.0, base / 3, 0.2] if composed else None,
        "private_share": [0.6, 0.5, base / 5] if composed else None, "private_norm_share": None,
        "constant": {task: task == "demo-twin" for task in RAW["tasks"]},
        "eval_rows": dict.fromkeys(RAW["tasks"], ROWS),
        "trainable_parameters": 123, "train_seconds": 1.5, "eval_seconds": float("nan"),
    }


@pytest.fixture
def experiment(store: Store) -> str:
    """Six runs completed, one failed with a message that a spreadsheet would run, one still queued again."""
    identity = store.submit(build_experiment(RAW))
    data = {task: load_task(TASKS[task], None).digest for task in RAW["tasks"]}
    for number, run in enumerate(store.claim()):
        store.started(run.id, 9, {"compt": "0", "data": data, "threads": number // 4})
        points = [Event(run.id, "loss", 4, (0.125 + number,)), Event(run.id, "task_loss", 4, (0.5, float("nan"), 2.0)),
                  Event(run.id, "dev_score", 4, (0.25, 1.0, float("nan")))]
        if run.method == "spp":
            points += [Event(run.id, "attention", 4, (0.0, 0.125, 0.25, 0.375, 0.5, 0.625)),
                       Event(run.id, "gates", 4, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0))]
        store.write_events(points)
        if number == 2:
            store.finish(run.id, Outcome("failed", error=ValueError("=1+1 is not finite")))
        elif number == 5:
            store.finish(run.id, Outcome("paused"))
        else:
            store.finish(run.id, Outcome("completed", result(run.method == "spp", number), {}, scores_of(number)))
    store.set_references(identity, {"majority": {task: {"accuracy": 0.1 + 0.2} for task in RAW["tasks"]},
                                    "no_prompt": {"demo-mood": {"accuracy": None}}})
    return identity


def read(folder: Path) -> dict[str, list[dict[str, str]]]:
    return {path.stem: list(csv.DictReader(path.open(newline=""))) for path in folder.glob("*.csv")}


def same(cell: str, value: Any) -> bool:
    """Whether a cell holds a number of the document, to the last digit; empty where it is null."""
    return cell == "" if value is None else float(cell) == value


# --- what is written


def test_the_document_is_that_of_json_with_what_repeats_it(call: Call, store: Store, experiment: str,
                                                           tmp_path: Path) -> None:
    done = call("export", experiment, "--format", "json", "--out", tmp_path / "new" / "folder")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"Wrote {experiment}.json into '{tmp_path}/new/folder': 6 of 8 runs completed.\n"
    written = json.loads((tmp_path / "new" / "folder" / f"{experiment}.json").read_text())
    expected = json.loads(json.dumps(experiment_json(store.experiment(experiment), store.runs(experiment))))
    assert {key: written[key] for key in expected} == expected
    assert build_experiment(written["settings"]) == build_experiment(RAW)
    assert [len(one["runs"]) for one in written["versions"]] == [4, 4]
    assert [one["threads"] for one in written["versions"]] == [0, 1]
    assert list((tmp_path / "new" / "folder").iterdir()) == [tmp_path / "new" / "folder" / f"{experiment}.json"]


def test_show_and_both_exports_tell_the_same_diagnosis(call: Call, store: Store, tmp_path: Path) -> None:
    identity = store.submit(build_experiment(RAW | {"methods": ["spp"], "shots": [8], "seeds": [3]}))
    run, = store.claim()
    store.started(run.id, 30, {})
    store.write_events([Event(run.id, "loss", step, (0.01,)) for step in range(31)])
    found = result(True, 0) | {"private_norm_share": [0.95, 0.9, 0.97], "mean_normalised": 0.5}
    store.finish(run.id, Outcome("completed", found, {}, scores_of(0)))
    for kind in ("json", "csv"):
        call("export", identity, "--format", kind, "--out", tmp_path)
    written = json.loads((tmp_path / f"{identity}.json").read_text())["diagnosis"][run.id]
    one, = written["findings"]
    assert (one["signature"], one["severity"], one["threshold"]) == ("private_dominates", "problem", 0.9)
    rows = read(tmp_path)["diagnosis"]
    assert [(row["run"], row["signature"], row["severity"]) for row in rows] == [
        (run.id, "private_dominates", "problem"), (run.id, "overfitting", "unchecked")]
    assert float(rows[0]["value"]) == one["value"] and rows[1]["said"] == written["unchecked"]["overfitting"]
    assert f"1 of 1 run, {run.id}" in (table := " ".join(call("show", identity).out.split()))
    assert one["said"] in table and one["advice"] in table
    assert f"problem: Private part dominates: {one['said']}." in call("show", run.id).out


def test_the_settings_of_a_run_are_those_of_that_run_alone(call: Call, store: Store, experiment: str,
                                                           tmp_path: Path) -> None:
    run = store.runs(experiment)[6]
    call("export", run.id, "--format", "json", "--out", tmp_path)
    written = json.loads((tmp_path / f"{run.id}.json").read_text())
    assert [one["run"] for one in written["runs"]] == [run.id]
    again = build_experiment(written["settings"]).runs()
    assert [one.model_dump(mode="json") for one in again] == [run.config]


def test_tables_hold_every_number_of_the_document(call: Call, store: Store, experiment: str, tmp_path: Path) -> None:
    done = call("export", experiment, "--format", "csv", "--out", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    found = read(tmp_path / "out")
    told = {run["run"]: run for run in document(store.experiment(experiment), store.runs(experiment), {})["runs"]}
    assert [row["run"] for row in found["runs"]] == list(told)
    for row in found["runs"]:
        run = told[row["run"]]
        assert (row["method"], int(row["shots"]), int(row["seed"]), row["state"]) == (
            run["method"], run["shots"], run["seed"], run["state"])
        assert all(same(row[name], run[name]) for name in ("mean", "mean_normalised", "eval_seconds"))
    scores = {(row["run"], row["task"], row["metric"]): row for row in found["scores"]}
    expected = {(name, task, metric): value for name, run in told.items()
                for task, metrics in (run["tasks"] or {}).items() for metric, value in metrics.items()}
    assert scores.keys() == expected.keys() and len(expected) == 6 * 4
    assert all(same(scores[key]["value"], value) for key, value in expected.items())
    assert all(row["constant"] == str(int(row["task"] == "demo-twin")) for row in scores.values())
    weights = {(row["run"], row["task"], row["source"]): row["weight"] for row in found["attention"]}
    assert len(weights) == 3 * 3 * 2
    assert all(same(weights[name, task, f"s{s}"], run["attention"][k][s]) for name, run in told.items()
               if run["attention"] for k, task in enumerate(RAW["tasks"]) for s in range(2))
    for row in found["gates"]:
        k, run = RAW["tasks"].index(row["task"]), told[row["run"]]
        assert same(row["alpha"], run["alpha"][k]) and same(row["beta"], run["beta"][k])
        assert same(row["private_share"], run["private_share"][k]) and row["private_norm_share"] == ""
    assert {row["reference"]: row["value"] for row in found["references"]} == {
        "majority": repr(0.1 + 0.2), "no_prompt": ""}


def test_curves_have_a_line_per_number(call: Call, store: Store, experiment: str, tmp_path: Path) -> None:
    composed = store.runs(experiment)[7].id
    call("export", composed, "--format", "csv", "--out", tmp_path / "out")
    found = read(tmp_path / "out")
    assert found["loss"] == [{"run": composed, "step": "4", "loss": "7.125"}]
    assert [row["loss"] for row in found["task_loss"]] == ["0.5", "", "2.0"]
    assert [row["task"] for row in found["task_loss"]] == RAW["tasks"]
    assert [row["score"] for row in found["dev_score"]] == ["0.25", "1.0", ""]
    assert [(row["task"], row["source"], row["weight"]) for row in found["attention_steps"]] == [
        (task, f"s{s}", str((2 * k + s) / 8)) for k, task in enumerate(RAW["tasks"]) for s in range(2)]
    assert [(row["alpha"], row["beta"]) for row in found["gates_steps"]] == [
        ("1.0", "4.0"), ("2.0", "5.0"), ("3.0", "6.0")]


def test_predictions_give_the_metrics_of_scoring(call: Call, store: Store, experiment: str, tmp_path: Path) -> None:
    """Label words and right answers, row by row, against scoring's own reading of the same label scores."""
    call("export", experiment, "--format", "csv", "--out", tmp_path / "out")
    found = read(tmp_path / "out")["predictions"]
    assert len(found) == 6 * 3 * ROWS
    for run in (run for run in store.runs(experiment) if run.state == State.COMPLETED):
        for task, scores in store.scores(run.id).items():
            rows = [row for row in found if (row["run"], row["task"]) == (run.id, task)]
            assert [row["row"] for row in rows] == [str(n) for n in range(ROWS)]
            judged = judge(TASKS[task], answers.scored_rows(run, task), scores)
            right = sum(row["predicted"] == row["gold"] for row in rows) / ROWS
            assert right == judged.metrics["accuracy"]
            assert {row["predicted"] for row in rows} <= set(TASKS[task].labels)


def test_answers_of_a_numeric_task_are_numbers_and_unreadable_ones_empty(store: Store, experiment: str) -> None:
    run = next(run for run in store.runs(experiment) if run.state == State.COMPLETED)
    one = replace(run, config=run.config | {"tasks": ["stsb", "demo-mood"], "scoring": "generate"}, tasks=CATALOGUE)
    scores = {"stsb": np.eye(26, dtype=np.float32)[[25, 0, 3]], "demo-mood": np.array([[0, 0], [0, 1]], np.float32)}
    found = list(answers.answers(one, scores, {}))
    assert [answer for *_, answer, _ in found] == [5.0, 0.0, 0.6, None, TASKS["demo-mood"].labels[1]]
    assert {gold for *_, gold in found} == {None}


def test_changed_data_are_said_and_their_right_answers_left_out(
    call: Call, store: Store, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answers.load_task
    monkeypatch.setattr(answers, "load_task", lambda task, folder: replace(before(task, folder), digest="other")
                        if task.name == "demo-echo" else before(task, folder))
    lost = next(run.id for run in store.runs(experiment) if run.state == State.COMPLETED)
    (store.home / "artifacts" / lost / "scores.safetensors").unlink()
    done = call("export", experiment, "--format", "csv", "--out", tmp_path / "out")
    assert done.code == 0
    first, second = done.err.splitlines()
    assert first.startswith("The right answers of task 'demo-echo' are left out: the data of task 'demo-echo' are not")
    assert second.startswith(f"The predictions of run {lost} are left out: The file ")
    found = read(tmp_path / "out")["predictions"]
    assert {row["task"] for row in found if row["gold"] == ""} == {"demo-echo"}
    assert all(row["predicted"] for row in found) and lost not in {row["run"] for row in found}


def test_nothing_a_spreadsheet_would_run(call: Call, experiment: str, tmp_path: Path) -> None:
    call("export", experiment, "--format", "csv", "--out", tmp_path / "out")
    failed = next(row for row in read(tmp_path / "out")["runs"] if row["state"] == "failed")
    assert failed["error"] == "'=1+1 is not finite"
    assert all(not cell.startswith("'-") for row in read(tmp_path / "out")["runs"] for cell in row.values())


@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\t", "\n", "\r\n", "\x0b", "\x00", "\u200b", "\ufeff", "\u2060",
                                    "\u00ad", "\u2028", "\u3000", "\ufe0f", "'", '"', " \" \u200d'"])
def test_a_formula_is_harmless_whatever_stands_before_it(before: str) -> None:
    for sign in "=+-@|%＝＋－＠｜％﹦﹢﹣﹫﹪":
        text = f"{before}{sign}cmd()"
        assert harmless(text) == "'" + text.replace("\r\n", "\n"), sign
        assert harmless(f"a{text}") == f"a{text}".replace("\r\n", "\n"), sign


@pytest.mark.parametrize(("text", "cell"), [
    ("-1", "-1"), ("-0.25", "-0.25"), ("-1e-05", "-1e-05"), ("-.5", "-.5"), ("1", "1"), ("", ""), (" ", " "),
    ("+1", "'+1"), ("-1+1", "'-1+1"), ("- 1", "'- 1"), ("-1\n", "'-1\n"), ("-١", "'-١"), ("--1", "'--1"), ("-", "'-"),
    ("\tx", "'\tx"), ("\rx", "'\nx"), ("\nx", "'\nx"), ("x=1", "x=1"), ("a-b", "a-b"), ("it's", "it's"),
    ("x\r=1", "x\n=1"),
])
def test_negative_numbers_stay_numbers_and_text_stays_text(text: str, cell: str) -> None:
    assert harmless(text) == cell


def test_what_follows_a_line_end_begins_no_row() -> None:
    file = io.StringIO(newline="")
    write_csv(Table(("=a", "b"), [["x\r=1", -0.5], ["y", True]]), file)
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [["'=a", "b"], ["x\n=1", "-0.5"], ["y", "1"]]


def test_an_experiment_that_has_not_begun_is_tables_without_rows(call: Call, store: Store, tmp_path: Path) -> None:
    identity = store.submit(build_experiment(RAW))
    done = call("export", identity, "--format", "csv", "--out", tmp_path / "out")
    assert done.code == 0 and "0 of 8 runs completed" in done.out
    found = read(tmp_path / "out")
    assert set(found) == {name.removesuffix(".csv") for name in tables(
        document(store.experiment(identity), store.runs(identity), {}), {}, [])}
    assert {name for name, rows in found.items() if rows} == {"runs"}
    assert {row["state"] for row in found["runs"]} == {"queued"}
    given = {name: value for name, value in store.experiment(identity).config.items() if value is not None}
    assert settings(store.experiment(identity), store.runs(identity)) == given


# --- files and folders


def test_files_of_before_are_replaced_whole_and_others_stay(
    call: Call, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "scores.csv").write_text("old")
    (out / "mine.txt").write_text("mine")
    full = OSError(28, "No space left on device")

    def fails(*_: object) -> None:
        raise full

    monkeypatch.setattr(os, "replace", fails)
    done = call("export", experiment, "--format", "csv", "--out", out)
    assert done.code == 1 and done.err == f"The folder '{out}' of --out cannot be written: No space left on device. " \
        "Free some space on its disk or repair it, then try again.\n"
    assert sorted(path.name for path in out.iterdir()) == ["mine.txt", "scores.csv"]  # and no half-written ones
    assert (out / "scores.csv").read_text() == "old"
    monkeypatch.undo()
    monkeypatch.setenv("COMPT_HOME", str(tmp_path / "home"))
    assert call("export", experiment, "--format", "csv", "--out", out).code == 0
    assert (out / "scores.csv").read_text().startswith("run,variant,method,shots,seed,task,metric,value")
    assert (out / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(("words", "says"), [
    (("none", "--format", "csv", "--out", "x"), "There is neither a run nor an experiment 'none' in this store."),
    (("../x", "--format", "json", "--out", "x"), "There is neither a run nor an experiment '../x' in this store."),
    (("ID", "--format", "xml", "--out", "x"), "'xml' is not one of 'csv', 'json', 'bundle', 'peft'."),
    (("ID", "--format", "", "--out", "x"), "'' is not one of 'csv', 'json', 'bundle', 'peft'."),
    (("ID", "--out", "x"), "Missing option '--format'"),
    (("ID", "--format", "csv"), "Missing option '--out'"),
    (("--format", "csv", "--out", "x"), "Missing argument 'RUN'."),
    (("ID", "more", "--format", "csv", "--out", "x"), "Got unexpected extra argument(s) (more)."),
    (("ID", "--format", "csv", "--out", ""), "The folder '' of --out cannot be written: it has no name."),
    (("ID", "--format", "csv", "--out", "a\0b"), "cannot be written: embedded null byte."),
    (("ID", "--format", "csv", "--out", "/dev/null"), "'/dev/null' of --out cannot be written: it is a file; name"),
    (("ID", "--format", "csv", "--out", "/dev/null/x"), "of --out cannot be written: Not a directory."),
    (("ID", "--format", "json", "--out", "/proc/none"), "of --out cannot be written: No such file or directory."),
    (("ID", "--format", "csv", "--out", "n" * 300), "of --out cannot be written: File name too long."),
    (("ID", "--format", "csv", "--out", "x", "--josn"), "There is no option '--josn'."),
])
def test_bad_input_is_one_line(call: Call, experiment: str, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = call("export", *(experiment if word == "ID" else word for word in words))
    assert (done.code, done.out) == (2, "")
    assert says in done.err and len(done.err.splitlines()) == 1 and done.err[:-1].isprintable()
    assert not list((tmp_path / "here").iterdir())


def test_without_a_store_nothing_is_made(call: Call, home: Path, tmp_path: Path) -> None:
    done = call("export", "ifgbtgr923", "--format", "json", "--out", tmp_path / "out")
    assert done.code == 2 and done.err.startswith("There are no runs in ")
    assert not home.exists() and not (tmp_path / "out").exists()


def test_a_folder_in_the_way_of_a_file_is_said_before_anything_is_written(
    call: Call, experiment: str, tmp_path: Path
) -> None:
    (tmp_path / "out" / "gates.csv").mkdir(parents=True)
    done = call("export", experiment, "--format", "csv", "--out", tmp_path / "out")
    assert done.code == 2 and "'gates.csv' in it is a folder; move it away." in done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["gates.csv"]


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(output.ConfigError, match="of --out cannot be written: Permission denied"):
        output.write_folder(str(tmp_path), {}, "--out")
