"""The Studies page: what each asks, a click that queues it, what came out, and links that lead nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.report import downloads
from app.studies import figures
from compt_core.runs.store import Store
from compt_core.studies import bundled, launch
from compt_core.studies.study import Figure
from compt_core.studies.table import known
from compt_core.training.events import Event, Outcome
from tests.app.conftest import fake_result

Visit = Callable[..., AppTest]


def words(app: AppTest) -> str:
    return " ".join(one.value for kind in ("title", "header", "subheader", "markdown", "caption", "info", "warning")
                    for one in app.get(kind))


@pytest.fixture(autouse=True)
def _nothing_is_bundled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMPT_WORKER", "off")
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)


def finished(store: Store) -> str:
    """A first look at forgetting whose runs are completed."""
    ids = launch.submit(store, launch.planned(known()["forgetting"], {}, quick=True))
    for run in store.claim():
        store.started(run.id, 80, {})
        if run.config["phases"]:
            store.write_events([Event(run.id, "phase_score", step, tuple(np.linspace(.4, .9, 4) - step / 1000))
                                for step in (0, 20, 40, 60, 80)])
        store.finish(run.id, Outcome("completed", fake_result(run.config)))
    return ids["sequence"]


@pytest.mark.parametrize("name", sorted(known()))
def test_each_study_asks_its_question_before_anything_was_trained(visit: Visit, name: str) -> None:
    app = visit("studies", study=name)
    assert not app.exception and known()[name].question in words(app) and "Nothing of this study" in words(app)
    assert app.query_params["study"] == [name] or app.query_params["study"] == name


def test_one_click_queues_a_study_and_shows_how_far_it_is(visit: Visit, home: Path) -> None:
    app = visit("studies", study="forgetting")
    app.button(key="launch_True").click().run()
    assert not app.exception and not app.error
    [one] = launch.launched(Store(home), "forgetting")
    assert sum(one.experiments["sequence"].states.values()) == 14
    assert "as soon as every part has completed runs" in words(app)


def test_a_finished_study_is_read_in_words_with_its_figures(visit: Visit, home: Path) -> None:
    finished(Store(home))
    app = visit("studies", study="forgetting")
    assert not app.exception and "What came out" in words(app) and "14 runs: 14 completed." in words(app)
    assert "PT forgets" in words(app) or "PT gains" in words(app)
    assert len(app.get("plotly_chart")) == 12 and "What this study cannot say" in [one.label for one in app.expander]


def test_a_bundled_reading_is_shown_before_anything_was_trained(visit: Visit, home: Path, tmp_path: Path) -> None:
    figure = {"name": "f", "title": "Points forgotten", "kind": "dots", "columns": ["row", "points", "of", "half"],
              "rows": [["pt", 0.0, "mean", None]], "reading": "PT forgets nothing."}
    (tmp_path / "forgetting.json").write_text(json.dumps({
        "reading": ["PT forgets nothing <b>."], "figures": [figure], "numbers": {}, "scores": [{}] * 260,
        "command": "python -m compt_core study forgetting", "minutes": 61.2, "where": "cpu, 2 threads, 826e",
        "settings": {"backbone": "demo", "seeds": [0, 1, 2], "tasks": ["demo-mood"]}}))
    app = visit("studies", study="forgetting")
    assert not app.exception and "PT forgets nothing" in words(app) and "260 runs, trained in 61 minutes" in words(app)
    assert "3 seeds" in words(app) and len(app.get("plotly_chart")) == 1
    finished(Store(home))
    app = visit("studies", study="forgetting")
    assert "14 runs: 14 completed." in words(app)
    app = visit("studies", study="forgetting", one="bundled")
    assert "260 runs" in words(app) and not app.warning


def test_all_parts_are_paused_and_gone_on_with_by_one_click(visit: Visit, home: Path) -> None:
    store = Store(home)
    launch.submit(store, launch.planned(known()["dissimilar"], {}, quick=True))
    app = visit("studies", study="dissimilar")
    app.button(key="pause_together").click().run()
    one = launch.launched(store, "dissimilar")[0]
    assert {tuple(record.states) for record in one.experiments.values()} == {("paused",)}
    app.button(key="resume_together").click().run()
    one = launch.launched(store, "dissimilar")[0]
    assert {tuple(record.states) for record in one.experiments.values()} == {("queued",)} and len(one.experiments) == 5


def test_the_report_of_an_experiment_has_the_study_that_it_is_of(home: Path) -> None:
    store = Store(home)
    identity = finished(store)
    made = downloads._report(store, identity, ())
    assert b"Study: Forgetting" in made and known()["forgetting"].question.encode() in made
    assert b"after demo-mood" in made and known()["forgetting"].cannot[1].encode() in made


def test_wrong_names_in_a_link_are_said(visit: Visit, home: Path) -> None:
    app = visit("studies", study="forgeting")
    assert "Did you mean" in words(app) and not app.exception
    finished(Store(home))
    app = visit("studies", study="forgetting", one="../../x")
    assert "not in this store" in words(app) and not app.exception


@pytest.mark.parametrize(("kind", "columns", "row"), [
    ("matrix", ("a", "b", "value"), ("r", "c", 1.0)), ("lines", ("x", "y", "row", "half"), (4, 1.0, "s", None)),
    ("dots", ("name", "value", "row", "half"), ("n", 1.0, "s", .5)),
    ("scatter", ("x", "y", "pair", "row"), (1.0, 2.0, "p", "s"))])
def test_every_kind_of_figure_is_drawn_from_its_table(kind: str, columns: tuple[str, ...], row: tuple[object, ...]
                                                      ) -> None:
    drawn = figures.draw(Figure("f", "F", kind, columns, (row,), "One."))  # type: ignore[arg-type]
    assert len(drawn.data) == 1 and drawn.layout.height > 100
