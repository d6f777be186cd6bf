"""A stored run is shown and scored by the definitions of its own experiment, whatever the bundled table says today."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.report import document as report
from compt_core.cli.main import app as command_line
from compt_core.exchange import bundle
from compt_core.exchange.report import accuracy_table
from compt_core.runs.drain import drain
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.table import CATALOGUE, TASKS
from compt_core.whatif.ablation import ablate
from compt_core.whatif.apply import apply, prompts_of
from compt_core.whatif.trained import taken_apart

RAW = {"tasks": "demo-mood,demo-rte,demo-mnli,demo-cola", "methods": "pt,spp", "shots": "4", "steps": 3, "batch": 8,
       "sources": 3, "prompt_length": 4, "encoder_hidden": 5, "eval_rows": 15, "backbone": "demo",
       "normalizer": "softmax"}
OWN = Catalogue({
    **CATALOGUE,
    "demo-mood": replace(TASKS["demo-mood"], labels=("wrong", "right"), columns=("premise", "claim"), family="moods",
                         suite="demo-own", metrics=("f1", "accuracy")),
    "demo-rte": replace(TASKS["demo-rte"], family="moods"),
})
PAGES = ("home", "learn", "runs", "accuracy", "attention", "gates", "whatif", "space")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a store with two small runs, trained by the real worker on OWN tasks."""
    folder = tmp_path_factory.mktemp("own") / "home"
    store = Store(folder)
    done = drain(store, store.submit(build_experiment(RAW), tasks=OWN), lambda ahead: None)
    assert [run.state for run in done] == ["completed"] * 2
    store.close()
    return folder


@pytest.fixture
def opened(home: Path, trained: Path) -> Iterator[Store]:
    """The store in this test's home, a copy of the trained one."""
    shutil.copytree(trained, home, dirs_exist_ok=True)
    store = Store(home)
    yield store
    store.close()


@pytest.fixture
def spp(opened: Store) -> RunRecord:
    return next(run for run in opened.runs() if run.method == "spp")


def words(app: AppTest) -> str:
    parts = (app.title, app.header, app.markdown, app.caption, app.error, app.info, app.warning)
    return re.sub(r"\\(.)", r"\1", "\n".join(element.value for part in parts for element in part))


def test_it_was_trained_and_scored_by_its_own(opened: Store, spp: RunRecord) -> None:
    assert (spp.versions or {})["tasks"] == {name: OWN[name].digest("neutral") for name in spp.config["tasks"]}
    assert OWN["demo-mood"].digest("neutral") != TASKS["demo-mood"].digest("neutral")
    result, references = spp.result or {}, opened.experiment(spp.experiment).references or {}
    assert list(result["tasks"]["demo-mood"]) == ["f1", "accuracy"] == list(references["majority"]["demo-mood"])
    assert set(result["samples"]["demo-mood"]) == {"wrong", "right"}
    first = {name: of[next(iter(of))] or 0.0 for name, of in result["tasks"].items()}
    assert result["mean"] == pytest.approx(np.mean(list(first.values())))


def test_a_change_of_the_table_changes_nothing_of_it(opened: Store, spp: RunRecord, monkeypatch: pytest.MonkeyPatch,
                                                    ) -> None:
    before = opened.run(spp.id)
    for name in spp.config["tasks"]:
        monkeypatch.delitem(TASKS, name)
    assert opened.run(spp.id) == before and before.tasks == OWN.only(before.config["tasks"])


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_without_a_table(visit: Callable[..., AppTest], spp: RunRecord, page: str,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*TASKS]:
        monkeypatch.delitem(TASKS, name)
    app = visit(page, exp=spp.experiment) if page in ("home", "learn") else visit(page, run=spp.id)
    assert not app.exception and not app.error


def test_pages_show_its_own_families_label_words_and_columns(visit: Callable[..., AppTest], spp: RunRecord) -> None:
    gates = visit("gates", run=spp.id, order="family")
    assert list(gates.dataframe[0].value["task"]) == ["demo-mood", "demo-rte", "demo-mnli", "demo-cola"]
    tree = [figure.proto.spec for figure in visit("attention", run=spp.id).get("plotly_chart")]
    assert any("moods" in one for one in tree) and not any("sentiment" in one for one in tree)
    behind = visit("accuracy", exp=spp.experiment, task="demo-mood", method="spp")
    cells = json.loads(behind.get("plotly_chart")[-1].proto.spec)["data"][0]
    assert not behind.exception and {*cells["x"], *cells["y"]} == {"wrong", "right"}
    assert "suite **demo-own, demo-glue**" in words(behind)
    bench = visit("whatif", run=spp.id, part="sentence", task="demo-mood")
    assert not bench.exception and "**claim**: " in words(bench) and "right" in words(bench)
    tour = visit("learn", exp=spp.experiment, step="prompt")
    assert "Label words: **wrong** and **right**" in words(tour)


def test_what_if_scores_by_it(visit: Callable[..., AppTest], opened: Store, spp: RunRecord) -> None:
    shown = visit("whatif", run=spp.id).dataframe[0].value.set_index("task")
    result = spp.result or {}
    assert shown.loc["demo-mood", "metric"] == "f1"
    assert shown.loc["demo-mood", "score"] == pytest.approx(100 * (result["tasks"]["demo-mood"]["f1"] or 0))
    trained, scores = taken_apart(spp, opened.prompts(spp.id)), opened.scores(spp.id)
    composed = dict(zip(trained.tasks, trained.composed, strict=True))
    same = dict(apply(spp, scores, composed, {"demo-mood": composed["demo-mood"]}, ["demo-mood"]))["demo-mood"]
    assert not same.stored and same.change.metric == "f1" and same.change.after == result["tasks"]["demo-mood"]["f1"]
    assert same.scores == pytest.approx(scores["demo-mood"], abs=1e-3)  # of its own label words and columns
    table = ablate(spp, trained, scores)
    assert table is not None and dict(zip(table.tasks, table.metrics, strict=True))["demo-mood"] == "f1"
    assert prompts_of(opened, spp, "beta = 0").keys() == set(spp.config["tasks"])


def test_export_report_and_terminal_say_it(opened: Store, spp: RunRecord, tmp_path: Path) -> None:
    for kind in ("csv", "json"):
        command_line(["export", spp.id, "--format", kind, "--out", str(tmp_path)], standalone_mode=False)
    with (tmp_path / "predictions.csv").open() as file:
        mood = [row for row in csv.DictReader(file) if row["task"] == "demo-mood"]
    assert len(mood) == 15 and {row["gold"] for row in mood} == {"wrong", "right"}
    written = json.loads((tmp_path / f"{spp.id}.json").read_text())
    assert written["task_definitions"] == json.loads(json.dumps(spp.tasks.written()))
    assert written["task_definitions"]["demo-mood"]["labels"] == ["wrong", "right"]
    experiment, runs = opened.experiment(spp.experiment), opened.runs(spp.experiment)
    page = report.report(experiment, runs, {}, 0.0)
    assert "demo-own" in page and "demo-mood · f1" in page
    table = accuracy_table(experiment, runs).renderables[1]
    assert [*table.columns[1].cells][:2] == ["f1", "accuracy"]  # type: ignore[union-attr]


def test_a_bundle_carries_it_and_one_without_takes_the_tables(
        opened: Store, spp: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPT_DEMO_RUNS")
    bundle.write_bundle(opened, [spp.experiment], tmp_path / "own", "own")
    with_own, without = Store(tmp_path / "first"), Store(tmp_path / "second")
    assert bundle.import_bundles(with_own, tmp_path / "own") == 1
    assert with_own.run(spp.id).tasks == spp.tasks == with_own.experiment(spp.experiment).tasks
    path = tmp_path / "own" / "own.json"
    read: dict[str, Any] = json.loads(path.read_text())
    del read["experiment"]["task_definitions"]
    path.write_text(json.dumps(read))
    assert bundle.import_bundles(without, tmp_path / "own") == 1
    assert without.run(spp.id).tasks == CATALOGUE.only(spp.config["tasks"])
    with_own.close()
    without.close()
