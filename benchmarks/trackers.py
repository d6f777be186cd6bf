"""What a tracker costs: the time of a step with each, against the same fleet without any, in turn in one process.

    python benchmarks/trackers.py [--steps 150] [--repeats 3]

Trains the preset `demo` on four tasks. Needs the extras of requirements-track.txt; those that are missing are left out.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from importlib.util import find_spec
from pathlib import Path

import setting  # noqa: F401  # makes compt_core importable from anywhere

from compt_core.runs.store import Store
from compt_core.runs.worker import Worker
from compt_core.settings.config import build_experiment
from compt_core.trackers.table import TRACKERS


def step(track: list[str], steps: int) -> float:
    """Milliseconds of a step, from the seconds that the runs' results say."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        experiment = build_experiment({
            "tasks": ["demo-mood", "demo-reword", "demo-follows", "demo-echo"], "methods": ["pt", "spp"],
            "seeds": [0, 1], "steps": steps, "batch": 16, "eval_rows": 10, "watch_rows": 2, "track": track},
            preset="demo")
        identity = store.submit(experiment)
        Worker(store).work_once()
        took = [float(run.result["train_seconds"]) for run in store.runs(identity) if run.result]
        store.close()
        return 1000 * max(took) / steps


def main() -> None:
    """Print the ratio of each tracker."""
    parser = argparse.ArgumentParser(prog="python benchmarks/trackers.py", description=main.__doc__)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    names = [name for name, kind in TRACKERS.items() if find_spec(kind.package)]
    step([], 20)  # loads everything once
    for name in names:
        pairs = []
        for _ in range(given.repeats):
            pairs.append((step([name], given.steps), step([], given.steps)))
        ratios = sorted(one / bare for one, bare in pairs)
        print(f"{name:12} {statistics.median(one for one, _ in pairs):6.1f} ms a step, without "
              f"{statistics.median(bare for _, bare in pairs):6.1f}; ratio {statistics.median(ratios):.3f} "
              f"({ratios[0]:.3f} to {ratios[-1]:.3f})", flush=True)


if __name__ == "__main__":
    main()
