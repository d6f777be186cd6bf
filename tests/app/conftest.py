"""A store with experiments as a worker would leave them, written through the store itself, and pages over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from compt_core.composition.geometry import prompts_of, sketch
from compt_core.methods.table import METHODS
from compt_core.runs.lease import Lease
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.tasks.table import TASKS
from compt_core.training.events import Event, Log, Outcome

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"
RAW = {"tasks": "cola,sst2,stsb", "backbone": "demo", "methods": "pt,mst,spp,scp", "shots": "8", "sources": 2}
STEPS = 9


@pytest.fixture(autouse=True)
def _fresh_caches() -> Iterator[None]:
    """Caches outlive an AppTest: the next test would read this one's store."""
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


def fake_result(config: dict[str, Any], *, constant: tuple[str, ...] = (), shift: float = 0.0) -> dict[str, Any]:
    """A completed run's result: every number different from its neighbours, so that a swapped axis shows."""
    tasks, sources, method = config["tasks"], config["sources"], config["method"]
    base = {"pt": 0.6, "mst": 0.5, "mpt": 0.55, "spp": 0.7, "scp": 0.65}[method] + config["seed"] / 100 + shift
    scores = {
        task: {metric: None if task in constant and metric in ("matthews", "pearson", "spearman")
               else base + 0.01 * i + 0.003 * j for j, metric in enumerate(TASKS[task].metrics)}
        for i, task in enumerate(tasks)
    }
    primary = [scores[task][TASKS[task].metrics[0]] or 0.0 for task in tasks]
    composed = METHODS[method].composed
    logits = [[1 + i + 2 * s for s in range(sources)] for i in range(len(tasks))]
    weights = [[value / sum(row) for value in row] for row in logits]
    alpha, beta = [0.2 + 0.1 * i for i in range(len(tasks))], [0.5 - 0.1 * i for i in range(len(tasks))]
    return {
        "tasks": scores, "mean": sum(primary) / len(tasks), "mean_normalised": sum(primary) / len(tasks) - 0.4,
        "attention": weights if composed else None,
        "alpha": alpha if composed else None, "beta": beta if composed else None,
        "private_share": [a / (a + b) for a, b in zip(alpha, beta, strict=True)] if composed else None,
        "private_norm_share": [0.3 + 0.2 * i for i in range(len(tasks))] if composed else None,
        "normalizer": "softmax" if composed else None, "dead_sources": [], "trainable_parameters": 100,
        "constant": {task: task in constant for task in tasks}, "eval_rows": dict.fromkeys(tasks, 20),
    }


def fake_prompts(config: dict[str, Any]) -> dict[str, np.ndarray]:
    """Prompts of a completed run, [P, H] with P = 3 (SCP's parts: 2) and the demo backbone's H; no two alike."""
    draw = np.random.default_rng(config["seed"] + 100 * config["shots"])
    tasks, method = len(config["tasks"]), config["method"]
    length, hidden = 2 if method == "scp" else 3, 64
    source = draw.normal(size=(config["sources"] if METHODS[method].composed else 1, length, hidden))
    private = 5 * draw.normal(size=(tasks, length, hidden))
    if method in ("pt", "mst"):
        return {"private": private, "composed": private} if method == "pt" else \
            {"source": source, "composed": np.repeat(source, tasks, axis=0)}
    if method == "mpt":
        return {"source": source, "composed": source * private}
    shared = np.repeat(source.mean(0)[None], tasks, axis=0)
    composed = shared + private if method == "spp" else np.concatenate([shared, private], axis=1)
    return {"source": source, "private": private, "composed": composed}


@dataclass
class Lab:
    """Experiments in the states that a page can meet; each method returns the experiment's id."""

    store: Store
    snapshots: bool = False  # whether prompts over training are kept, each growing and turning to its end

    def queued(self, owner: str = "local", **raw: Any) -> str:
        return self.store.submit(build_experiment(RAW | raw), owner=owner)

    def running(self, **raw: Any) -> str:
        identity = self.queued(**raw)
        self._train(upto=4)
        return identity

    def finished(self, *, constant: tuple[str, ...] = (), references: bool = True,
                 change: Callable[[RunRecord], dict[str, Any]] = lambda run: {}, **raw: Any) -> str:
        """Completed runs; `change` gives what is different in a run's result."""
        identity = self.queued(**raw)
        for run in self._train(upto=STEPS):
            result = fake_result(run.config, constant=constant) | change(run)
            self.store.finish(run.id, Outcome("completed", result, fake_prompts(run.config)))
        if references:
            tasks = self.store.experiment(identity).config["tasks"]
            rows = {task: dict.fromkeys(TASKS[task].metrics, 0.45) for task in tasks}
            self.store.set_references(identity, {"majority": rows, "no_prompt": rows})
        return identity

    def failed(self, message: str = "The loss is not finite at step 4.", **raw: Any) -> str:
        identity = self.queued(**raw)
        for run in self._train(upto=4):
            self.store.finish(run.id, Outcome("failed", error=ValueError(message)))
        return identity

    def result(self, config: dict[str, Any]) -> dict[str, Any]:
        """A completed run's result."""
        return fake_result(config)

    def _train(self, upto: int) -> tuple[RunRecord, ...]:
        fleet = self.store.claim()
        for number, run in enumerate(fleet):
            self.store.started(run.id, STEPS, {"torch": "0"})
            points = [Event(run.id, "loss", step, (2.0 - 0.1 * step - 0.01 * number,)) for step in range(upto + 1)]
            if METHODS[run.method].composed:
                cells = len(run.config["tasks"]) * run.config["sources"]
                points += [Event(run.id, "attention", step, tuple(step / 10 + cell / 100 for cell in range(cells)))
                           for step in range(upto + 1)]
            if self.snapshots:
                prompts = [one.vectors for one in prompts_of(fake_prompts(run.config), run.config["tasks"],
                                                             repeats=METHODS[run.method].repeats)]
                points += [Event(run.id, "prompts", step, tuple(sketch([(step + 1) * one + (upto - step) for one in
                                                                        prompts]).ravel())) for step in (0, 3, upto)]
            self.store.write_events([*points, Log(run.id, upto, f"Run {number} has trained.")])
        return fleet


@pytest.fixture(scope="session")
def table() -> Callable[..., pd.DataFrame]:
    """Scores in the shape of frames.scores, one column, from {(method, seed): value or None}."""

    def build(values: dict[tuple[str, int], float | None], constant: Collection[tuple[str, int]] = ()) -> pd.DataFrame:
        return pd.DataFrame([
            {"run": f"{method}{seed}", "variant": method, "method": method, "shots": 8, "seed": seed, "column": "mean",
             "metric": "", "value": math.nan if value is None else value, "constant": (method, seed) in constant,
             "unreadable": 0.0}
            for (method, seed), value in values.items()
        ])

    return build


@pytest.fixture
def trainer(store: Store) -> Iterator[Lease]:
    """The lease, held: what says running is running."""
    lease = Lease(store.home)
    assert lease.acquire()
    yield lease
    lease.release()


@pytest.fixture
def lab(store: Store, trainer: Lease) -> Lab:
    """Experiments to write into the store, which somebody trains."""
    return Lab(store)


@pytest.fixture
def visit(home: Path) -> Callable[..., AppTest]:
    """Opens a page by its file name, as a link with these query parameters would."""

    def go(page: str, /, **query: str) -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=30).run()
        app.query_params.clear()
        for name, value in query.items():
            app.query_params[name] = value
        return app.switch_page(f"../pages/{page}.py").run()

    return go
