"""Choose each method's settings for the preset `english`. ``python benchmarks/english_tuning.py --data-dir DIR``

The same effort for every method, on a tuning seed alone: four trials each, of which the best is taken. A trial's score
is its mean accuracy over the tasks at 16 shots, on 100 dev rows of each, so differences of two points are chance.
Rates and sizes of prompts are in units of the backbone's embedding table. Every number goes to --json, which a second
call goes on from; nothing here may look at the seeds on which the methods are compared. DIR has a folder with train and
dev files for each task.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import torch
from setting import ROOT

from compt_core.backbone.load import Backbone, find_backbone, load_backbone
from compt_core.settings.config import build_experiment
from compt_core.settings.presets import ENGLISH_TASKS
from compt_core.training.fleet_run import train_fleet

SEED: Final = 1000
START: Final[dict[str, Any]] = {
    "tasks": ENGLISH_TASKS, "shots": [16], "prefix": "question", "units": "table", "init_range": 0.75, "steps": 45,
    "batch": 16, "max_tokens": 128, "eval_rows": 100, "watch_rows": 0,
}
RATES: Final = (0.075, 0.15, 0.0375)
MIXED: Final[dict[str, Any]] = {"sources": 3, "normalizer": "softmax", "form": "gated_sum", "lr_attention": 0.3}


def _both(rate: float, **more: Any) -> dict[str, Any]:
    """The same rate for all prompts of a method; a method ignores the one that it has no part for."""
    return {"lr_source": rate, "lr_private": rate, **more}


def trials(method: str) -> list[dict[str, Any]]:
    """The settings of a method's trials: three rates, and one choice of its own at the first of them."""
    if method == "mpt":  # its private rate is that of the matrices, which have a size of 1
        return [{"lr_source": rate} for rate in RATES] + [{"lr_source": RATES[0], "lr_private": 0.06}]
    if method in ("pt", "mst"):
        return [*map(_both, RATES), _both(0.25, encoder="none")]
    own = {"spp": {"form": "mean"}, "scp": {"scp_length": "each"}}[method]
    return [MIXED | one for one in (*map(_both, RATES), _both(RATES[0], **own))]


@cache
def _backbone(ref: str) -> Backbone:
    torch.set_num_threads(1)  # two trials at once, one on each core, take less time than one on both
    return load_backbone(find_backbone(ref), "cpu")


def measure(method: str, trial: int, backbone: str, data_dir: str) -> dict[str, float]:
    """Task -> score of a trial."""
    raw = {**START, **trials(method)[trial], "methods": [method], "seeds": [SEED], "backbone": backbone,
           "data_dir": data_dir}
    config, = build_experiment(raw).runs()
    outcome = train_fleet({"it": config}, lambda event: None, lambda run: "keep", backbone=_backbone(backbone))["it"]
    if outcome.result is None:
        return dict.fromkeys(ENGLISH_TASKS, 0.0)
    return {task: round(float(next(iter(scores.values()))), 4) for task, scores in outcome.result["tasks"].items()}


def mean(scores: Mapping[str, float]) -> float:
    """Mean over tasks."""
    return fmean(scores.values())


def best_first(written: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A method's trials by mean score; of equal ones the earlier."""
    return sorted(written, key=lambda name: (-mean(written[name]), int(name)))


def search(methods: list[str], written: dict[str, Any], path: Path, backbone: str, data_dir: str) -> None:
    """Run the trials that `written` does not hold yet."""
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        jobs: dict[Future[dict[str, float]], tuple[str, str]] = {}
        for method in methods:
            for trial in range(len(trials(method))):
                if str(trial) not in written.setdefault(method, {}):
                    jobs[pool.submit(measure, method, trial, backbone, data_dir)] = method, str(trial)
        for job in as_completed(jobs):
            method, name = jobs[job]
            written[method][name] = job.result()
            path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
            print(f"{method} {name}: {100 * mean(job.result()):.1f}", flush=True)


def report(written: Mapping[str, Any]) -> None:
    """Print every trial, the taken one of each method first."""
    for method, known in written.items():
        print(f"\n{method}")
        for name in best_first(known):
            print(f"  {100 * mean(known[name]):5.1f}  {trials(method)[int(name)]}")


def main() -> None:
    """Search the settings of the named methods, print and keep every trial."""
    parser = argparse.ArgumentParser(prog="python benchmarks/english_tuning.py", description=main.__doc__)
    parser.add_argument("--methods", default="pt,mst,mpt,spp,scp")
    parser.add_argument("--backbone", default="english")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "english_tuning.json")
    parser.add_argument("--report", action="store_true", help="only print what the file holds")
    given = parser.parse_args()
    written: dict[str, Any] = json.loads(given.json.read_text()) if given.json.is_file() else {}
    if not given.report:
        search(given.methods.split(","), written, given.json, given.backbone, given.data_dir)
    report(written)


if __name__ == "__main__":
    main()
