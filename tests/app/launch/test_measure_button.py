"""Where no speed is known, Launch offers to measure one step, says what it does meanwhile, and shows the estimate."""

from __future__ import annotations

import pytest

from app.launch import summary
from app.ui import services
from compt_core.planning.estimate import Estimate, Pace, Work, place
from compt_core.runs.measuring import Measurement
from compt_core.runs.worker import app_threads


@pytest.fixture
def asked(monkeypatch):
    """What the page has asked to be measured; nothing is."""
    found = {}
    monkeypatch.setattr(services, "trains_here", lambda: True)
    monkeypatch.setattr(services, "ensure_worker", lambda: None)
    monkeypatch.setattr(services, "measurement", lambda checked: found.get("one"))
    monkeypatch.setattr(services, "measure", lambda checked: found.setdefault(
        "one", Measurement(checked.largest_fleet, checked.tasks)))
    return found


def rows(app):
    return app.table[0].value.to_string()


def test_the_button_measures_and_the_estimate_follows(asked, visit, store):
    app = visit("launch", preset="first-1")
    app.button(key="check").click().run()
    assert "unknown until a fleet has trained, or a step was measured" in rows(app)
    app.button(key="measure").click().run()
    assert not app.exception and len(asked["one"].configs) == 1
    said = " ".join(part.value for part in app.markdown)
    assert "Waiting for the trainer" in said and "measure" not in [button.key for button in app.button]
    asked["one"].state, asked["one"].doing = "measuring", "timing a training step"
    assert "Measuring: timing a training step …" in " ".join(part.value for part in app.run().markdown)
    checked, _ = services.check(asked_experiment())
    here = place("cpu", app_threads(), checked.backbone.digest())
    store.keep_pace(Pace(here, Work(1, 1e3, 1e4, 1e3), 0.1, 0.1, 1e6, 1.0))
    asked["one"].state = "done"
    app.run()
    assert "judging by a single step that was measured" in rows(app)
    assert "measure" not in [button.key for button in app.button]


def asked_experiment():
    from compt_core.settings.config import build_experiment

    return build_experiment({}, preset="first-1")


def test_a_measurement_that_failed_says_why_and_can_be_tried_again(asked, visit):
    app = visit("launch", preset="first-1")
    app.button(key="check").click().run()
    app.button(key="measure").click().run()
    asked["one"].state, asked["one"].problem = "failed", "The backbone is gone."
    app.run()
    assert "The backbone is gone" in app.error[0].value
    assert "measure" in [button.key for button in app.button]


def test_where_another_process_trains_the_terminal_measures(visit, monkeypatch):
    monkeypatch.setenv("COMPT_WORKER", "external")
    app = visit("launch", preset="first-1")
    app.button(key="check").click().run()
    assert any("--measure" in part.value for part in app.caption)
    assert "measure" not in [button.key for button in app.button]


def test_an_estimate_says_what_it_rests_on():
    fleets, step = Estimate(60, 120, 3), Estimate(60, 120, 0, measured=1000.0)
    assert summary.estimated(fleets, 1e9).endswith("judging by 3 measured fleets")
    assert "single step that was measured just now on this machine" in summary.estimated(step, 1010.0)
    assert "measured 2 hours ago on this machine" in summary.estimated(step, 1000.0 + 7300)


def test_what_a_measurement_waits_for_is_said():
    waiting = Measurement((), {})
    assert "runs that train now" in summary.standing(waiting, True)
    assert "trainer" in summary.standing(waiting, False)
