"""Runs that really were trained, small, in every form of composition."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compt_core.methods.table import METHODS
from compt_core.runs.drain import drain
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.whatif.trained import Trained, taken_apart

TASKS = "demo-rte,demo-stsb,demo-mnli"
RAW = {"tasks": TASKS, "shots": "4", "steps": 3, "batch": 6, "sources": 4, "prompt_length": 6, "encoder_hidden": 5,
       "eval_rows": 21, "backbone": "demo", "normalizer": "softmax", "lr_attention": 0.9, "lr_gate": 0.9}
FORMS = {"mean": {}, "gated_sum": {"form": "gated_sum"}, "sum": {"form": "sum", "gates": "off"},
         "fixed": {"attention": "uniform", "gates": "fixed", "alpha": 2.0, "beta": 0.5},
         "sparse": {"normalizer": "sparsemax", "sources": 3}, "one": {"sources": 1, "normalizer": "auto"}}


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with finished runs: every method, and SPP in every form."""
    store = Store(tmp_path_factory.mktemp("whatif"))
    for form, changes in FORMS.items():
        methods = ",".join(METHODS) if form == "mean" else "spp"
        raw = RAW | {"methods": methods} | changes
        drain(store, store.submit(build_experiment(raw)), lambda ahead: None)
    return store


@pytest.fixture(scope="session")
def finished(shelf: Store) -> Callable[[str], RunRecord]:
    """The run of a method, or the SPP run of a form (keys of FORMS)."""
    found: dict[str, RunRecord] = {}
    for form, experiment in zip(FORMS, reversed(shelf.experiments()), strict=True):
        for run in shelf.runs(experiment.id):
            found.setdefault(form if run.method == "spp" else run.method, run)
    return lambda name: found["mean" if name == "spp" else name]


@pytest.fixture
def apart(shelf: Store, finished: Callable[[str], RunRecord]) -> Callable[[str], Trained]:
    """The same runs, taken apart."""
    return lambda name: taken_apart(finished(name), shelf.prompts(finished(name).id))
