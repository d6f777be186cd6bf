"""The live page's curves: loss and score, per method and per task, and attention and gates as they form."""

from __future__ import annotations

import json

import pytest

from app.runs import curves
from app.show import frames
from compt_core.training.events import Event


def specs(app) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


def axis(spec: dict) -> str:
    return spec["layer"][0]["encoding"]["y"]["title"]


def words(app) -> str:
    return "\n".join(element.value for part in (app.markdown, app.caption) for element in part)


@pytest.fixture
def training(lab, store):
    """Runs under way with losses, scores and weights: an experiment's id."""
    identity = lab.running(shots="8")
    tasks = store.experiment(identity).config["tasks"]
    for run in store.runs(identity):
        points = [Event(run.id, "task_loss", step, tuple(2.0 - 0.1 * step + k for k in range(len(tasks))))
                  for step in range(1, 5)]
        points += [Event(run.id, "dev_score", step, (0.2 + 0.1 * step, float("nan"), 0.3)) for step in (0, 4)]
        if run.method in ("spp", "scp"):
            points.append(Event(run.id, "gates", 4, (0.25, 0.5, 1.0, 0.75, 0.5, 1.0)))
        store.write_events(points)
    return identity


def test_scores_stand_beside_losses_and_say_on_how_many_rows(visit, training):
    app = visit("runs", exp=training)
    assert not app.exception
    assert [axis(spec) for spec in specs(app)[:2]] == ["training loss (cross-entropy)", "score on a few dev rows"]
    assert "at most 8 dev rows per task" in words(app)


def test_every_task_has_a_figure_where_asked_by_link(visit, training):
    for kind, title in (("task_loss", "training loss (cross-entropy)"), ("dev_score", "score on a few dev rows")):
        app = visit("runs", exp=training, curves=kind)
        assert not app.exception and not app.error
        drawn = [spec for spec in specs(app) if spec.get("title") in ("cola", "sst2", "stsb")]
        assert [spec["title"] for spec in drawn] == ["cola", "sst2", "stsb"]  # an undefined score counts 0
        assert {axis(spec) for spec in drawn} == {None}  # said once, below
        assert f"{title.capitalize()} by optimizer step" in words(app)
    app = visit("runs", exp=training, curves="x")
    assert not app.exception and len(app.error) == 1


def test_a_mean_over_tasks_counts_the_undefined_as_nothing(store, training):
    runs = store.runs(training)
    points = store.curves([run.id for run in runs], "dev_score")
    table = frames.curves(curves._counted("dev_score", [(run, *points[run.id]) for run in runs]))
    first = table[table["run"] == runs[0].id].set_index("step")["value"]
    assert first.to_dict() == pytest.approx({0: (0.2 + 0 + 0.3) / 3, 4: (0.6 + 0 + 0.3) / 3}, abs=1e-3)


def test_attention_and_gates_are_seen_as_they_form(visit, store, training):
    app = visit("runs", exp=training)
    assert not app.get("plotly_chart")
    app.session_state["forming_box"] = True
    app.run()
    heat = json.loads(app.get("plotly_chart")[0].proto.spec)["data"][0]
    spp = next(run for run in store.runs(training) if run.method == "spp")
    last = store.events(spp.id, "attention")[1][-1].reshape(3, 2)
    assert heat["z"] == [[pytest.approx(weight) for weight in row] for row in last.tolist()]
    assert "after step 4" in words(app)
    scp = next(run for run in store.runs(training) if run.method == "scp")
    app.selectbox(key="follow").set_value(scp.id).run()
    assert app.query_params["follow"] == scp.id and not app.exception
    app.query_params["follow"] = "zzzzzzzzzz"  # a run that has ended since
    app.run()
    assert not app.exception and not app.error and len(app.get("plotly_chart")) == 1


def test_finished_runs_form_no_more_and_keep_their_curves(visit, lab):
    app = visit("runs", exp=lab.finished())
    assert not app.exception and not app.get("plotly_chart")
    assert [axis(spec) for spec in specs(app)] == ["training loss (cross-entropy)"]


def test_the_line_in_the_table_is_the_loss(visit, store, training):
    app = visit("runs", exp=training)
    runs = store.runs(training)
    shown = app.dataframe[0].value.set_index("run")["loss"]
    assert shown[runs[0].id] == pytest.approx([2.0, 1.9, 1.8, 1.7, 1.6], abs=2e-3)
    long = [(runs[0], range(500), [[1e5 if i == 333 else float(i)] for i in range(500)])]
    import numpy as np
    [line] = curves._sparks([(run, np.array(steps), np.array(values)) for run, steps, values in long]).values()
    assert len(line) <= 24 and line[0] == 0 and line[-1] == 499 and max(line) == 1e5
