"""Exports hold what the heatmap shows: every digit in CSV, points with intervals in LaTeX; names are harmless."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from app.show import exports, frames, weights
from compt_core.exchange.report import experiment_json


@pytest.fixture
def finished(lab, store):
    identity = lab.finished(seeds=[0, 1, 2], constant=("cola",))
    return store.experiment(identity), store.runs(identity)


def test_csv_holds_the_numbers_of_the_json_to_the_last_digit(finished):
    experiment, runs = finished
    told = json.loads(json.dumps(experiment_json(experiment, runs)))["runs"]
    cells = frames.summarise(frames.scores(runs[:1]))
    read = pd.read_csv(io.BytesIO(exports.csv(cells))).set_index("column")["value"]
    stored = told[0]["tasks"]
    for task, metrics in stored.items():
        for metric, value in metrics.items():
            found = read[frames.column_name(task, metric, len(metrics) > 1)]
            assert pd.isna(found) if value is None else found == value
    assert read["mean"] == told[0]["mean"]


def test_csv_of_weights_has_a_line_per_cell(finished):
    run = frames.with_result(finished[1], "attention")[0]
    frame = weights.frame(weights.single(run), run.config["tasks"])
    read = pd.read_csv(io.BytesIO(exports.csv(frame, "task")))
    assert list(read["value"]) == [weight for row in run.result["attention"] for weight in row]
    assert list(read.columns[:2]) == ["task", "column"]


def test_latex_is_a_table_of_points_with_intervals(finished):
    cells = frames.summarise(frames.scores(finished[1]))
    text = exports.latex(cells, "100% of dev_rows").decode()
    assert r"\caption{100\% of dev\_rows}" in text and r"\begin{tabular}{lrrrr}" in text
    mean = cells[(cells["row"] == "pt") & (cells["column"] == "mean")].iloc[0]
    line = next(line for line in text.splitlines() if line.startswith("mean &"))
    assert rf"${100 * mean['value']:.1f} \pm {100 * mean['half']:.1f}$" in line and line.endswith(r" \\")
    assert "undef." in next(line for line in text.splitlines() if "matthews" in line)
    assert text.count(r" \\") == 1 + cells["column"].nunique()
    gap = exports.latex(frames.differences(frames.scores(finished[1]), "pt"), "x", signed=True).decode()
    assert "$+" in gap or "$-" in gap


def test_any_table_is_a_file_that_runs_nothing():
    frame = pd.DataFrame({" =A1": ["=1+1", "fine"], "change": [-0.5, 0.25], "n": [1, 2], "said": ["-0.5", "a\r＝1"]})
    back = pd.read_csv(io.BytesIO(exports.table(frame)))
    assert back.to_dict("list") == {"' =A1": ["'=1+1", "fine"], "change": [-0.5, 0.25], "n": [1, 2],
                                    "said": ["-0.5", "a\n＝1"]}


def test_every_file_of_the_dashboard_goes_through_the_one_function():
    """A template to be filled in is made of constants."""
    writers = {path.name for path in Path(exports.__file__).parents[1].rglob("*.py")
               if "to_csv" in path.read_text() or "csv.writer" in path.read_text()}
    assert writers == {"exports.py", "uploads.py"}


@pytest.mark.parametrize("name", ["=cmd()", "@x", "-1+1", "\tx"])
def test_names_are_no_formulas_and_no_commands(name):
    cells = pd.DataFrame([{"row": name, "column": r"\input{x} & $y$", "value": 0.5, "half": float("nan"), "n": 1}])
    assert exports.csv(cells).decode().splitlines()[1].lstrip('"').startswith("'")
    assert r"\textbackslash{}input\{x\} \& \$y\$" in exports.latex(cells, "").decode()


def test_csv_of_a_page_agrees_with_the_export_of_the_command_line(finished, tmp_path, capsys):
    """Means over seeds of the exported scores are the cells that Accuracy offers as CSV; so are the weights."""
    from compt_core.cli import main as cli

    experiment, runs = finished
    assert cli.main(["export", experiment.id, "--format", "csv", "--out", str(tmp_path)]) == 0
    exported = pd.read_csv(tmp_path / "scores.csv")
    cells = frames.summarise(frames.scores(runs))
    offered = pd.read_csv(io.BytesIO(exports.csv(cells))).set_index(["variant", "column"])
    several = exported.groupby("task")["metric"].nunique() > 1
    for (method, task, metric), part in exported.groupby(["variant", "task", "metric"], sort=False):
        cell = offered.loc[(method, frames.column_name(task, metric, bool(several[task])))]
        if part["value"].isna().all():
            assert pd.isna(cell["value"])
        else:
            assert cell["value"] == part["value"].fillna(0).to_numpy().mean()
        assert cell["n"] == len(part)
    run = frames.with_result(runs, "attention")[1]
    frame = pd.read_csv(io.BytesIO(exports.csv(weights.frame(weights.single(run), run.config["tasks"]), "task")))
    told = pd.read_csv(tmp_path / "attention.csv").query("run == @run.id")
    assert list(zip(told["task"], told["source"], told["weight"], strict=True)) == list(
        zip(frame["task"], frame["column"], frame["value"], strict=True))
