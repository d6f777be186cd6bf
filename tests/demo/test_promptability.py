"""Prompts find the skills of the bundled backbone, and nothing in one with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from compt_core.demo.backbone import new_backbone
from compt_core.demo.pretrain import export
from compt_core.settings.config import build_experiment
from compt_core.settings.presets import DEMO_TASKS
from compt_core.training.fleet_run import train_fleet


def accuracies(backbone: str, methods: str, shots: int, steps: int) -> dict[str, float]:
    """Method -> mean accuracy on half of the tasks, of a prompt per task (pt) or of one for all (mst)."""
    raw = {"preset": "demo", "backbone": backbone, "tasks": DEMO_TASKS[::2], "methods": methods, "shots": shots,
           "steps": steps, "batch": 24}
    runs = {config.method: config for config in build_experiment(raw).runs()}
    outcomes = train_fleet(runs, lambda event: None, lambda run: "keep")
    return {method: (outcome.result or {})["mean"] for method, outcome in outcomes.items()}


def test_random_weights_stay_at_chance(tmp_path: Path) -> None:
    export(new_backbone(7), tmp_path)
    for method, mean in accuracies(str(tmp_path), "pt,mst", shots=32, steps=30).items():
        assert mean == pytest.approx(0.5, abs=0.04), method  # standard error 0.012


def test_prompts_find_the_skills_of_the_bundled_backbone() -> None:
    # Ten seeds gave 0.87 and more at 200 steps of 48 rows.
    assert accuracies("demo", "pt", shots=64, steps=150)["pt"] > 0.75
