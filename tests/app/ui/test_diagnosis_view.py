"""Runs and Attention say what a run's numbers say of it: once for all that have it, with number and what to try."""

from __future__ import annotations

import numpy as np
import pytest

from app.report import document as report
from app.ui import diagnoses, services
from app.ui.shared import Memo
from compt_core.analysis.diagnosis import diagnose
from compt_core.analysis.signatures import SIGNATURES, Diagnosis, Finding
from compt_core.training.events import Event


def collapsed(run):
    """The seeds 1 and 2 of SPP have all attention on one source, SCP's norm is private, PT is ordinary."""
    if run.method == "spp" and run.seed:
        return {"attention": [[0.97, 0.03], [0.95 - run.seed / 100, 0.05 + run.seed / 100], [0.99, 0.01]]}
    return {"private_norm_share": [0.96, 0.92, 0.97]} if run.method == "scp" else {}


@pytest.fixture
def identity(lab):
    return lab.finished(seeds="0-2", change=collapsed)


def said(app):
    return " ".join(element.value for element in [*app.markdown, *app.warning, *app.caption])


def test_runs_names_what_is_wrong_once_for_all_runs_that_have_it(visit, identity):
    app = visit("runs", exp=identity)
    assert not app.exception
    box, = app.warning
    assert box.proto.title == "Diagnosis: 5 of 12 runs have a problem"
    first, second = box.value.split("\n")
    assert "Private part dominates" in first and "3 runs" in first and "flagged from 90%" in first.replace("\\", "")
    assert "seeds 1 and 2" in second and "93% to 94%" in second.replace("\\", "")
    assert all(SIGNATURES[name].advice in box.value for name in ("private_dominates", "attention_collapsed"))
    table = app.dataframe[0].value
    assert table["diagnosis"].str.startswith("⚠ ").sum() == 5
    assert set(table[table["diagnosis"] == ""]["row"]) == {"● PT", "■ MST", "▲ ComPT (SPP)"}


def test_runs_without_a_failure_are_said_to_have_none(visit, lab):
    app = visit("runs", exp=lab.finished())
    assert not app.warning and "Diagnosis: no problem in any of 4 runs." in said(app)
    app = visit("runs", exp=lab.queued())
    assert not app.warning and "Diagnosis" not in said(app)  # nothing is known of them yet


def test_a_loss_that_was_not_finite_is_named_beside_the_failure(visit, lab):
    app = visit("runs", exp=lab.failed("The loss or gradient of run 'x' is not finite at step 4. Lower it."))
    box, = app.warning
    assert "Loss not finite" in box.value and "first at step 4" in box.value


def test_a_run_under_way_is_judged_by_what_is_known_by_then(visit, lab, store, monkeypatch):
    identity = lab.queued(methods="pt")
    run, = store.claim()
    store.started(run.id, 40, {"torch": "0"})
    for upto in (31, 32):  # the last fifth begins
        store.write_events([Event(run.id, "loss", step, (2.0,)) for step in range(1, upto + 1)])
        monkeypatch.setattr(services, "_memo", Memo())  # half a second later: what is shown may be so old
        app = visit("runs", exp=identity)
        assert [box.value.split(":")[0] for box in app.warning] == (
            [] if upto == 31 else ["**Loss not falling so far**"])
    box, = app.warning
    assert "so far, at step 32" in box.value and box.proto.title == "Diagnosis: 1 of 1 run has a problem so far"
    assert app.dataframe[0].value["diagnosis"].tolist() == ["⚠ Loss not falling so far (100%)"]


def test_attention_tells_of_the_opened_run_and_of_the_seeds_behind_a_mean(visit, identity, store):
    runs = {(run.method, run.seed): run.id for run in store.runs(identity)}
    assert not visit("attention", exp=identity, run=runs["spp", 0]).warning
    box, = visit("attention", exp=identity, run=runs["spp", 1]).warning
    assert "Attention collapsed on one source" in box.value and "s0" in box.value
    box, = visit("attention", exp=identity, run=runs["spp", 1], of="mean").warning
    assert box.proto.title == "Diagnosis: 2 of 3 runs have a problem"


def test_a_note_is_no_warning(visit, lab, store):
    identity = lab.finished(methods="spp", change=lambda run: {"dead_sources": [], "attention": [
        [0.5, 0.5, 0.0], [0.4, 0.6, 0.0], [0.7, 0.3, 0.0]]}, sources=3)
    app = visit("runs", exp=identity)
    assert not app.warning and "; 1 run with a note" in said(app) and "**Dead source**" in said(app)
    app = visit("attention", exp=identity)
    assert not app.warning and "**Dead source**" in said(app)


def test_the_report_holds_the_diagnosis(identity, store):
    page = report.report(store.experiment(identity), store.runs(identity), {}, 0.0)
    assert "5 of 12 runs have a problem." in page and "93% to 94%" in page


def test_words_for_many_runs_stay_short_and_names_are_escaped(lab, store):
    runs = store.runs(lab.queued(seeds="0-9", shots="4,8,16,32"))
    finding = Finding(SIGNATURES["attention_swinging"], 0.3, 0.25, " in the last fifth (*task* on s0, 0.10 to 0.50)")
    line, = diagnoses.sentences(runs, {run.id: Diagnosis((finding,)) for run in runs}, "problem")
    assert "160 runs" in line and "130 more runs" in line and len(line) < 400
    line, = diagnoses.sentences(runs[:1], {runs[0].id: Diagnosis((finding,))}, "problem")
    assert r"\*task\*" in line


def test_what_could_not_be_checked_is_said(lab, store):
    run = store.runs(lab.queued())[0]
    loss = {"loss": (np.arange(1, 31), np.full((30, 1), 0.01))}
    found = {run.id: diagnose(run.config, loss, steps=30, result={"mean_normalised": 0.5})}
    assert diagnoses.unchecked(found).startswith("Overfitting was not checked: no dev scores were measured")
