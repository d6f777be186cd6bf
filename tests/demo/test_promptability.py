"""Prompts find the skills of the bundled backbone, and nothing in one with random weights."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from compt_core.config import build_experiment
from compt_core.demo.backbone import new_backbone
from compt_core.demo.pretrain import export
from compt_core.experiment import train_fleet
from compt_core.presets import DEMO_TASKS


def accuracies(backbone: str, tasks: list[str], steps: int) -> dict[str, list[float]]:
    """Method -> accuracy on each task, of one prompt per task (pt) and one for all (mst), 32 shots."""
    raw = {"preset": "demo", "backbone": backbone, "tasks": tasks, "methods": "pt,mst", "shots": 32, "steps": steps}
    runs = {config.method: config for config in build_experiment(raw).runs()}
    outcomes = train_fleet(runs, lambda event: None, lambda run: "keep")
    return {method: [scores["accuracy"] for scores in (outcome.result or {})["tasks"].values()]
            for method, outcome in outcomes.items()}


def test_random_weights_stay_at_chance(tmp_path: Path) -> None:
    export(new_backbone(7), tmp_path)
    for method, scores in accuracies(str(tmp_path), DEMO_TASKS[::2], steps=60).items():
        assert len(scores) == 6 and fmean(scores) == pytest.approx(0.5, abs=0.04), method  # standard error 0.012


def test_the_bundled_backbone_is_found_by_a_prompt_shared_in_a_family() -> None:
    scores = accuracies("demo", DEMO_TASKS[4:8], steps=100)
    assert min(scores["mst"]) > 0.8, scores
