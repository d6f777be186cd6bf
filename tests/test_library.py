"""`import compt_core as compt`: fifteen lines from nothing to a heatmap, in a script, a notebook and by the command."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import compt_core as compt
from compt_core.errors import ComptError, ConfigError, StoreError

ROOT = Path(__file__).resolve().parents[1]
SMALL = {"preset": "demo", "tasks": "demo-mood,demo-echo", "methods": "pt,spp", "shots": 4, "steps": 4, "batch": 4,
         "eval_rows": 10, "watch_rows": 0, "quiet": True}
TEXTS = "The chef praised the dog in the cellar.", "The cook hated the cat in the garden."


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COMPT_HOME", str(tmp_path_factory.mktemp("home")))
        yield compt.run(**SMALL)


def test_scores_and_the_heatmap_are_those_of_the_runs(experiment) -> None:
    found = experiment.scores
    assert list(found.columns) == ["run", "row", "method", "shots", "seed", "task", "metric", "score"]
    assert len(found) == 4
    table = experiment.table()
    assert list(table.index) == ["demo-mood", "demo-echo", "mean"] and list(table.columns) == ["pt", "spp"]
    one = found[(found["row"] == "spp") & (found["task"] == "demo-echo")]["score"].item()
    assert table.loc["demo-echo", "spp"] == one
    assert one == experiment.best("spp").record.result["tasks"]["demo-echo"]["accuracy"]
    figure = experiment.heatmap()
    np.testing.assert_allclose(figure.data[0].z, 100 * table.to_numpy())
    assert "spp" in repr(experiment) and "completed" in repr(experiment.runs[0])


def test_a_run_shows_what_it_learned_answers_and_is_edited(experiment, tmp_path: Path) -> None:
    run = experiment.best("spp")
    assert isinstance(compt.load(run.id), type(run)) and compt.load(experiment.id).id == experiment.id
    assert run.attention.shape == (2, 4) and np.allclose(run.attention.sum(axis=1), 1)
    assert list(run.gates.columns) == ["alpha", "beta", "private_share"] and len(run.curve()) == 4
    assert run.curve("task_loss").columns.tolist() == run.tasks and run.prompts("demo-echo").shape == (10, 64)
    answer = run.answer(*TEXTS, task="demo-echo")
    assert list(answer.index) == ["distinct", "identical"] and answer.sum() == pytest.approx(1)
    assert isinstance(run.generate(*TEXTS), str)
    edited = run.edit("mute=s1")
    assert isinstance(edited, pd.DataFrame) and list(edited.index) == run.tasks
    assert edited["trained"].tolist() == run.scores["score"].tolist()


def test_each_mistake_is_one_sentence(experiment, tmp_path: Path) -> None:
    pt, spp = experiment.best("pt"), experiment.best("spp")
    for wrong, said in [(lambda: pt.attention, "has no attention"), (lambda: spp.prompts("demo-eco"), "Did you mean"),
                        (lambda: spp.answer(TEXTS[0]), "reads 2 texts (sentence1, sentence2). Got 1"),
                        (lambda: spp.curve("los"), "has no curve 'los'"),
                        (lambda: compt.load("nothing"), "There is neither"),
                        (lambda: experiment.best("mst"), "no completed run of the row 'mst'"),
                        (lambda: compt.run(shots=0), "an integer in [1, 1024]"),
                        (lambda: spp.export_peft(str(tmp_path)), "position=after_prefix")]:
        with pytest.raises((ConfigError, StoreError)) as caught:
            wrong()
        assert said in str(caught.value) and isinstance(caught.value, ComptError)
    with pytest.raises(AttributeError, match="has no attribute 'rum'"):
        compt.rum  # noqa: B018


def test_no_extra_is_imported_unasked() -> None:
    code = ("import sys, compt_core.cli.main, compt_core.library, compt_core.runs.worker, compt_core.trackers.feed, "
            "compt_core.executors.ray_tasks; print(sorted({'ray', 'mlflow', 'tensorboard', 'trackio', 'wandb', 'peft'} "
            "& set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.stdout == "[]\n", done.stdout + done.stderr


def test_the_command_compt_is_the_command_line() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["compt"]
    module, _, function = named.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.filterwarnings("ignore::UserWarning:pdoc")  # of types that exist only for type checkers
def test_the_reference_has_a_sentence_for_everything(tmp_path: Path) -> None:
    import pdoc
    import pdoc.doc

    pdoc.pdoc("compt_core.library", output_directory=tmp_path)
    assert "fifteen" not in (tmp_path / "compt_core" / "library.html").read_text()
    module = pdoc.doc.Module(importlib.import_module("compt_core.library"))
    shown = [member for of in (module, *module.classes) for member in of.own_members if member.is_inherited is False]
    assert len(shown) > 20
    assert [one.fullname for one in shown if not one.docstring and one.kind in ("class", "function")
            and not one.name.startswith("_")] == []


def test_the_notebook_runs_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("COMPT_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    for folder in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(folder, str(tmp_path / folder))
    notebook = nbformat.read(ROOT / "docs" / "first-steps.ipynb", as_version=4)
    first = "\n".join(cell.source for cell in notebook.cells[:4] if cell.cell_type == "code")
    assert "heatmap" in first and len(first.splitlines()) <= 15
    notebook.metadata.kernelspec.name = "this"
    spec = tmp_path / "JUPYTER_DATA_DIR" / "kernels" / "this"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "this",
        "language": "python"}))
    client = NotebookClient(notebook, timeout=240, kernel_name="this", resources={"metadata": {"path": str(ROOT)}})
    done = client.execute()
    outputs = [cell.outputs for cell in done.cells if cell.cell_type == "code"]
    assert all(outputs) and not any(one.output_type == "error" for of in outputs for one in of)
    assert "application/vnd.plotly.v1+json" in outputs[1][-1]["data"] or "text/html" in outputs[1][-1]["data"]
