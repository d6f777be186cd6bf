"""Has sharing something to give on the demo suite? ``python benchmarks/demo_gate.py [--help]``

PT (a prompt per task) against the family oracle (one shared prompt per true family: attention fixed to
the families, no private part), on the tuning seeds 1000–1009 and all 300 dev rows of each task; then PT
with all training rows. ComPT is not measured here, and the demo language and backbone are never changed
after looking at how it does.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from tuning import START  # noqa: E402  # what the preset was then: the search for settings came after

from compt_core.backbone.load import find_backbone, load_backbone  # noqa: E402
from compt_core.language.suites import DEMO_SUITE  # noqa: E402
from compt_core.scoring.statistics import half_width  # noqa: E402
from compt_core.settings.config import RunConfig, build_experiment, parse_value  # noqa: E402
from compt_core.settings.values import as_list  # noqa: E402
from compt_core.training.fleet_run import train_fleet  # noqa: E402

FAMILIES: Final = tuple(dict.fromkeys(task.family for task in DEMO_SUITE))
ORACLE: Final[dict[str, Any]] = {
    "sources": len(FAMILIES), "gates": "fixed", "alpha": 0.0, "beta": 1.0, "form": "mean",
    "attention": [[float(task.family == family) for family in FAMILIES] for task in DEMO_SUITE],
}
Accuracies = dict[tuple[str, int], dict[str, float]]  # (predictor, seed) -> task -> accuracy


def configs(shots: int, seeds: list[int], given: dict[str, Any], every_row: bool) -> dict[str, RunConfig]:
    """The runs of one fleet by "predictor seed"."""
    runs = {}
    for name, method, own in (("PT", "pt", {}), ("oracle", "spp", ORACLE)):
        if every_row and name == "oracle":
            continue
        raw = {**START, "methods": [method], "shots": [min(shots, 1024)], "seeds": seeds, **given, **own}
        for config in build_experiment(raw).runs():
            runs[f"{name} {config.seed}"] = config.model_copy(update={"shots": shots})
    return runs


def measure(shots: int, seeds: list[int], given: dict[str, Any], backbone: Any, every_row: bool = False) -> Accuracies:
    """Train the runs of one shot count side by side."""
    outcomes = train_fleet(configs(shots, seeds, given, every_row), lambda event: None, lambda run: "keep",
                           backbone=backbone)
    found: Accuracies = {}
    for run, outcome in outcomes.items():
        if outcome.result is None:
            raise SystemExit(f"{run} {outcome.state}: {outcome.error}")
        name, seed = run.split()
        found[name, int(seed)] = {task: scores["accuracy"] for task, scores in outcome.result["tasks"].items()}
    return found


def line(values: list[float]) -> str:
    """Mean and 95% t-interval of a few numbers, in points."""
    half = half_width(values)
    return f"{100 * sum(values) / len(values):5.1f}" + ("" if half is None else f" ± {100 * half:.1f}")


def means(found: Accuracies, name: str) -> list[float]:
    """Mean over tasks, per seed."""
    return [sum(scores.values()) / len(scores) for (of, _), scores in sorted(found.items()) if of == name]


def main() -> None:
    """Measure, print the tables, and write every number to --json."""
    parser = argparse.ArgumentParser(prog="python benchmarks/demo_gate.py", description=main.__doc__)
    parser.add_argument("--backbone", default="demo")
    parser.add_argument("--seeds", default="1000-1009")
    parser.add_argument("--shots", default="4,8,16,32,64")
    parser.add_argument("--all-rows-steps", type=int, default=1500,
                        help="steps of PT with all training rows; 0 = leave out")
    parser.add_argument("--all-rows-seeds", default="1000-1001")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="settings of both predictors")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    own = {key: parse_value(value) for key, _, value in (text.partition("=") for text in given.set)}
    backbone = load_backbone(find_backbone(given.backbone))
    written: dict[str, Any] = {"settings": own, "backbone": backbone.describe(), "shots": {}}
    print(f"{'shots':>5}  {'PT':>12}  {'family oracle':>13}  {'difference':>13}  seconds")
    for shots in as_list(given.shots):
        clock = time.perf_counter()
        found = measure(shots, as_list(given.seeds), own, backbone)
        pt, oracle = means(found, "PT"), means(found, "oracle")
        gain = [high - low for high, low in zip(oracle, pt, strict=True)]
        print(f"{shots:5}  {line(pt):>12}  {line(oracle):>13}  {line(gain):>13}  {time.perf_counter() - clock:7.0f}",
              flush=True)
        written["shots"][shots] = {f"{name} {seed}": scores for (name, seed), scores in found.items()}
    if given.all_rows_steps:
        long = {**own, "steps": given.all_rows_steps, "batch": 96}
        found = measure(2000, as_list(given.all_rows_seeds), long, backbone, every_row=True)
        print(f"all training rows, {given.all_rows_steps} steps of 96 rows: PT {line(means(found, 'PT'))}")
        for task in DEMO_SUITE:
            print(f"  {task.name:14} {line([scores[task.name] for scores in found.values()])}")
        written["all rows"] = {f"{name} {seed}": scores for (name, seed), scores in found.items()}
    if given.json:
        given.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
