"""The fleets that are announced before a launch are those that are claimed after it."""

from __future__ import annotations

import pytest

from app.launch import summary
from compt_core.planning.check import check
from compt_core.planning.fleets import fleets
from compt_core.settings.config import build_experiment


@pytest.mark.parametrize("seeds", [1, 5, 6, 7])
def test_what_is_announced_is_what_is_claimed(store, monkeypatch, seeds):
    monkeypatch.setattr("compt_core.planning.fleets.LARGEST_FLEET", 3)
    experiment = build_experiment({"seeds": list(range(seeds)), "steps": 2}, preset="first-1")
    store.submit(experiment)
    claimed = [[run.seed for run in fleet] for fleet in iter(store.claim, ())]
    assert claimed == [list(part) for part in fleets(range(seeds))]
    checked = check(experiment)
    assert checked.work.steps == 2 * len(claimed)
    assert checked.most_trained == checked.parameters[0] * max(map(len, claimed))


def test_the_sentence_counts_fleets():
    assert summary.side_by_side(1) == "It trains alone, as a fleet of 1 run."
    assert "as 1 fleet:" in summary.side_by_side(256)
    assert all(part in summary.side_by_side(513) for part in ("as 3 fleets", "at most 256 runs"))
