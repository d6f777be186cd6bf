"""Score finished runs again from their stored prompts. ``COMPT_HOME=DIR python benchmarks/recompute.py EXPERIMENT``

Prints the largest difference of a label score, the answers that differ and the largest difference of a metric. The
experiment's backbone and data must be on this machine; bundled runs are copied into an empty home first.
"""

from __future__ import annotations

import argparse

import numpy as np
import setting  # noqa: F401  # makes compt_core importable from anywhere
import torch

from compt_core.backbone.load import find_backbone
from compt_core.exchange.bundle import import_bundles
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.scoring.score import TaskScores, score_task
from compt_core.whatif.apply import backbone_of, dev_rows


def again(run: RunRecord, task: str, prompt: np.ndarray) -> TaskScores:
    """What the stored prompt [L, H] of a task scores now."""
    backbone, own, config = backbone_of(run), run.tasks.needed(task), run.settings
    rows, encoded = dev_rows(run, task, backbone)
    given = {"": torch.from_numpy(np.ascontiguousarray(prompt, dtype=np.float32)).to(backbone.device)}
    return score_task(backbone, own, rows, encoded, given, prefix=config.prefix, scoring=config.scoring,
                      similarity=config.similarity, remember=False)[""]


def main() -> None:
    """Compare stored and new scores of every run, or of the first of each method."""
    parser = argparse.ArgumentParser(prog="python benchmarks/recompute.py", description=main.__doc__)
    parser.add_argument("experiment")
    parser.add_argument("--first", action="store_true", help="only the first run of each row of the comparison")
    given = parser.parse_args()
    store = Store()
    import_bundles(store)
    runs = store.runs(given.experiment)
    if given.first:
        runs = list({run.variant: run for run in reversed(runs)}.values())
    find_backbone(runs[0].config["backbone"])
    most, other, rows, off = 0.0, 0, 0, 0.0
    for run in runs:
        prompts, kept = store.prompts(run.id)["composed"], store.scores(run.id)
        for k, task in enumerate(run.config["tasks"]):
            found, before = again(run, task, prompts[k]), (run.result or {})["tasks"][task]
            most = max(most, float(np.abs(found.scores - kept[task]).max()))
            other += int((found.scores.argmax(1) != kept[task].argmax(1)).sum())
            rows += len(found.scores)
            off = max(off, *(abs(value - (before[name] or 0)) for name, value in found.metrics.items() if value))
        print(f"{run.id}: largest difference of a label score so far {most:.4f}", flush=True)
    print(f"{len(runs)} runs, {rows:,} answers: {other} differ; label scores differ by at most {most:.4f}, metrics by "
          f"at most {off:.5f}")


if __name__ == "__main__":
    main()
