"""How fast the demo backbone scores dev rows: ``python benchmarks/demo_scoring.py [--backbone DIR]``

Ours (labels by likelihood, all labels of a row in one decoder pass) against transformers' generate() on the
same rows, prompts and batches: 2,400 rows, 300 of each of eight demo tasks. Loading is left out; the median of
--repeats, taken in turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from compt_core.backbone.cache import ScoreCache  # noqa: E402
from compt_core.backbone.load import find_backbone, load_backbone  # noqa: E402
from compt_core.scoring.score import score_task  # noqa: E402
from compt_core.settings.presets import DEMO_TASKS  # noqa: E402
from compt_core.tasks.batches import encode_rows  # noqa: E402
from compt_core.tasks.files import load_task  # noqa: E402
from compt_core.tasks.table import TASKS  # noqa: E402


def main() -> None:
    """Print the median seconds of both and their ratio."""
    parser = argparse.ArgumentParser(prog="python benchmarks/demo_scoring.py", description=main.__doc__)
    parser.add_argument("--backbone", default="demo")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    backbone = load_backbone(find_backbone(given.backbone), "cpu")
    jobs = []
    for name in DEMO_TASKS[2:10]:
        data = load_task(TASKS[name], None)
        encoded = encode_rows(backbone.tokenizer, data.task, data.dev, prefix="neutral", position="after_prefix",
                              max_tokens=256)
        jobs.append((data, encoded))
    prompt = {"prompt": torch.rand(5, backbone.hidden) - 0.5}
    seconds: dict[str, list[float]] = {"sum": [], "generate": []}
    for _ in range(given.repeats + 1):
        for scoring, times in seconds.items():
            begun = time.perf_counter()
            for data, encoded in jobs:
                fresh = replace(backbone, cache=ScoreCache())  # else the second round would find its scores known
                score_task(fresh, data.task, data.dev, encoded, prompt, scoring=scoring, prefix="neutral")
            times.append(time.perf_counter() - begun)
    ours, peer = (statistics.median(times[1:]) for times in seconds.values())  # the first warms up
    rows = sum(len(data.dev) for data, _ in jobs)
    print(f"{rows:,} rows on {torch.get_num_threads()} threads: ours {ours:.2f} s, generate() {peer:.2f} s, "
          f"{peer / ours:.1f} times as fast")


if __name__ == "__main__":
    main()
