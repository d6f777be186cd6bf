"""Clearing the caches and reloading the sources while a run trains: no second trainer, and the run ends whole."""

from __future__ import annotations

import importlib
import threading
import time

import pytest
import streamlit as st

from app.ui import services, shared
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment


def test_training_goes_on_through_cleared_caches_and_reloaded_sources(
    store: Store, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMPT_WORKER", "thread")
    identity = store.submit(build_experiment({
        "tasks": ["demo-mood"], "methods": ["spp"], "batch": 4, "eval_rows": 20, "steps": 300}, preset="demo"))
    services.ensure_worker()
    first = services._worker
    assert first is not None
    try:
        wait_for(lambda: store.runs(identity)[0].step > 5)
        st.cache_resource.clear()
        st.cache_data.clear()
        importlib.reload(shared)
        importlib.reload(services)
        services.ensure_worker()  # the reloaded module knows no worker and starts one, which has no lease
        assert services._worker is not None and services._worker is not first
        assert [services._worker.lease.held, first.lease.held] == [False, True]
        wait_for(lambda: store.experiment(identity).references is not None)
        assert store.runs(identity)[0].state == "completed"
        assert sum(thread.name.startswith("compt-worker") for thread in threading.enumerate()) == 2
    finally:
        first.stop(60)
        if services._worker is not None:
            services._worker.stop(60)
        services._worker = None
        services.store().close()
        st.cache_resource.clear()
    assert store.events(store.runs(identity)[0].id, "loss")[0][-1] == 300


def wait_for(condition) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
