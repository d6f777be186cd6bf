"""Runs outlive everything: a closed tab, a server that is killed or stopped, a second server on the same home."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from compt_core.runs.points import stride
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment

PAGE_MS, TRAINING_MS = 60_000, 240_000
STEPS = 1500


def submit(store: Store, **settings: Any) -> str:
    return store.submit(build_experiment({
        "tasks": ["demo-mood", "demo-follows"], "methods": ["pt", "spp"], "batch": 4, "eval_rows": 20, "steps": STEPS,
        **settings}, preset="demo"))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TRAINING_MS / 1000
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def steps(store: Store, identity: str) -> int:
    return sum(run.step for run in store.runs(identity))


@pytest.mark.browser
def test_a_closed_tab_a_killed_and_a_stopped_server(
    serve: Callable[[], Any], home: Path, page: Page, browser: Browser, complaints: list[str],
) -> None:
    store = Store(home)
    identity, server = submit(store), serve()
    page.goto(f"{server.address}/runs?exp={identity}")
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible(timeout=TRAINING_MS)
    before = steps(store, identity)
    link = page.url
    page.close()
    wait_for(lambda: steps(store, identity) > before)

    reopened = browser.new_context().new_page()
    reopened.goto(link)
    expect(reopened.get_by_text(re.compile(r"2 runs: 2 running"))).to_be_visible(timeout=PAGE_MS)
    seen = store.events(store.runs(identity)[0].id, "loss")[0].tolist()
    wide = stride(STEPS, "loss")
    assert max(b - a for a, b in pairwise([0, *seen])) <= wide  # whole: no hole where nobody looked

    server.end(signal.SIGKILL)
    again = serve()
    reopened.goto(f"{again.address}/runs?exp={identity}")
    resume = reopened.get_by_role("button", name="Resume 2 runs")
    expect(resume).to_be_visible(timeout=PAGE_MS)
    expect(reopened.get_by_text("2 runs: 2 interrupted.")).to_be_visible()
    assert {one.checkpoint for one in store.runs(identity)} != {None}
    resume.click()
    left = {one.id: one.checkpoint for one in store.runs(identity)}
    wait_for(lambda: all((one.checkpoint or 0) > (left[one.id] or 0) for one in store.runs(identity)))

    again.end()  # SIGTERM
    assert [one.state for one in store.runs(identity)] == ["interrupted"] * 2
    assert {one.checkpoint for one in store.runs(identity)} == {one.step for one in store.runs(identity)}
    assert not complaints


@pytest.mark.browser
def test_of_two_dashboards_on_one_home_one_trains_and_both_show_it(
    serve: Callable[[], Any], home: Path, page: Page, browser: Browser,
) -> None:
    store = Store(home)
    first, second = serve(), serve()
    page.goto(f"{first.address}/runs")
    expect(page.get_by_text("No runs yet")).to_be_visible(timeout=PAGE_MS)  # its worker is up and has the lease
    identity = submit(store, steps=100)
    other = browser.new_context().new_page()
    for window, server in ((page, first), (other, second)):
        window.goto(f"{server.address}/runs?exp={identity}")
    for window in (page, other):
        expect(window.get_by_text("2 runs: 2 completed.")).to_be_visible(timeout=TRAINING_MS)
    assert len({run.fleet for run in store.runs(identity)}) == 1


@pytest.mark.browser
def test_a_server_that_uses_every_core_keeps_a_checkpoint_when_it_is_stopped(
    serve: Callable[[], Any], home: Path, page: Page, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMPT_THREADS", "2")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    store = Store(home)
    identity, server = submit(store, batch=64, steps=100_000), serve()
    page.goto(server.address)
    wait_for(lambda: steps(store, identity) > 0)
    server.end()
    left = store.runs(identity)
    assert [(run.state, run.error_message) for run in left] == [("interrupted", None)] * 2
    assert {run.checkpoint for run in left} == {run.step for run in left}
