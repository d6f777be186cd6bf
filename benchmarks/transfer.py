"""Measured relatedness against attention. ``COMPT_HOME=DIR python benchmarks/transfer.py EXPERIMENT [--help]``

Scores PT's stored prompt of each task on the dev rows of every other task. The more one task's prompt helps another
one, beyond what prompts of all tasks do, the more the two are related. Mantel's test then asks whether tasks that help
each other also have similar attention rows in the composed runs. The experiment's backbone and data must be on this
machine.
"""

from __future__ import annotations

import argparse

import numpy as np
import setting  # noqa: F401  # makes compt_core importable from anywhere
import torch

from compt_core.analysis.relatedness import helps, mantel, similarity
from compt_core.backbone.load import find_backbone
from compt_core.exchange.bundle import import_bundles
from compt_core.methods.table import METHODS
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.scoring.score import score_task
from compt_core.settings.values import as_list
from compt_core.whatif.apply import backbone_of, dev_rows


def transfer(store: Store, run: RunRecord, most: int) -> np.ndarray:
    """Accuracy [K, K] of task i's prompt (row) on the first `most` dev rows of task j (column)."""
    prompts, tasks, backbone = store.prompts(run.id)["composed"], run.config["tasks"], backbone_of(run)
    given = {name: torch.from_numpy(np.ascontiguousarray(prompt, dtype=np.float32)).to(backbone.device)
             for name, prompt in zip(tasks, prompts, strict=True)}
    found = np.zeros((len(tasks), len(tasks)))
    for j, task in enumerate(tasks):
        rows, encoded = dev_rows(run, task, backbone)
        scores = score_task(backbone, run.tasks.needed(task), rows[:most], encoded[:most], given,
                            prefix=run.settings.prefix, scoring=run.settings.scoring, remember=False)
        found[:, j] = [scores[name].metrics["accuracy"] for name in tasks]
        print(f"  {task} scored under {len(tasks)} prompts", flush=True)
    return found


def main() -> None:
    """Print the mean transfer matrix, its fit to the families, and attention's fit to it."""
    parser = argparse.ArgumentParser(prog="python benchmarks/transfer.py", description=main.__doc__)
    parser.add_argument("experiment")
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--seeds", default="0-2")
    parser.add_argument("--rows", type=int, default=100, help="dev rows of each task")
    given = parser.parse_args()
    store = Store()
    import_bundles(store)
    runs = [run for run in store.runs(given.experiment) if run.shots == given.shots]
    find_backbone(runs[0].config["backbone"])
    chosen = [run for run in runs if run.method == "pt" and run.seed in as_list(given.seeds)]
    accuracy = np.mean([transfer(store, run, given.rows) for run in chosen], 0)
    tasks, together = runs[0].config["tasks"], helps(accuracy)
    print(f"accuracy x 100 of the prompt of the row's task on the column's, {len(chosen)} seeds, {given.rows} dev rows")
    print(" " * 17 + " ".join(f"{name[:8]:>8}" for name in tasks))
    for name, row in zip(tasks, accuracy, strict=True):
        print(f"{name:16} " + " ".join(f"{100 * value:8.1f}" for value in row))
    kin = np.array([[float(runs[0].tasks.family(a) == runs[0].tasks.family(b)) for b in tasks] for a in tasks])
    known = mantel([together], kin)
    print(f"transfer and families: r = {known.r:.2f}, p = {known.p:.3g}")
    for variant in dict.fromkeys(run.variant for run in runs if METHODS[run.method].composed):
        seen = [np.array((run.result or {})["attention"]) for run in runs if run.variant == variant]
        test = mantel([similarity(one) for one in seen], together)
        print(f"{variant}: attention and transfer r = {test.r:.2f} ({min(test.each):.2f} to {max(test.each):.2f}), "
              f"p = {test.p:.3g}")


if __name__ == "__main__":
    main()
