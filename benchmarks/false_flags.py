"""How many ordinary runs does the diagnosis flag? ``python benchmarks/false_flags.py [--help]``

The bundled grids in a store of their own: settings that a search chose, 4 methods, 5 shot counts, seeds 0-9, none of
which was looked at when the thresholds were set, except the one for a first loss (UNKNOWN). A run counts as flagged
where it has a problem; notes are counted beside. The bundled results are older than the losses of single tasks, which
are taken from curves and samples here. Intervals are exact (Clopper and Pearson, 95%) and take runs as independent.
Trains nothing.

Then the same runs as if under way: their curves are cut at shares of their steps, and a finding that the run has not at
its end is a false alarm.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import setting  # noqa: F401  (the project's root on the path)
from scipy.stats import binomtest

from compt_core.analysis.diagnosis import KINDS, Curve, diagnose, diagnose_runs
from compt_core.analysis.signatures import SIGNATURES, Diagnosis
from compt_core.backbone.files import encoder
from compt_core.backbone.load import find_backbone
from compt_core.exchange.bundle import import_bundles
from compt_core.planning.data import load_data
from compt_core.runs.record import RunRecord, State
from compt_core.runs.store import Store
from compt_core.scoring.score import majority
from compt_core.tasks.fewshot import sample_dev, shots_of
from compt_core.tasks.spec import TaskData
from compt_core.training.task_losses import of_words_alone

CUTS = range(50, 100, 5)  # % of the steps
_END = -1  # stands for </s>


def with_losses(store: Store, runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs, with what results of older versions lack: the losses of every task, and the majority's scores. The
    last loss is the median over the stored points of the last fifth of the steps. Only for bundled tasks."""
    files = find_backbone(runs[0].config["backbone"])
    encode, read = encoder(files)[0], dict[str, TaskData]()
    curves = store.curves([run.id for run in runs], "task_loss")
    added = []
    for run in runs:
        steps, values = curves[run.id]
        read |= {task: load_data([task], None, files)[0] for task in run.config["tasks"] if task not in read}
        last = np.nanmedian(values[steps > 0.8 * steps[-1]], axis=0)
        losses = {}
        for k, data in enumerate(read[task] for task in run.config["tasks"]):
            first = values[np.isfinite(values[:, k]), k][0]
            if not data.task.numeric:
                targets = [(*ids, _END) for ids in encode(list(data.task.words(run.config["prefix"])))]
                words = of_words_alone([targets[row.label] for row in shots_of(run.settings, data)[0]])
                losses[data.task.name] = {"initial": float(first), "final": float(last[k]), "words": words}
        most = {task: majority(read[task].task, sample_dev(read[task], run.config["eval_rows"]))
                for task in run.config["tasks"]}
        added.append(replace(run, result={"task_loss": losses, "majority": most, **(run.result or {})}))
    return added


def judged(store: Store, bundled: bool) -> dict[str, tuple[list[RunRecord], dict[str, Diagnosis]]]:
    """Experiment -> its completed runs, and the diagnosis of each; all are bundled ones, or none."""
    found = dict[str, tuple[list[RunRecord], dict[str, Diagnosis]]]()
    for experiment in store.experiments(limit=1000):
        runs = [run for run in store.runs(experiment.id) if run.state == State.COMPLETED]
        if not runs:
            continue
        curves = {kind: store.curves([run.id for run in runs], kind) for kind in KINDS}
        runs = with_losses(store, runs) if bundled else runs
        found[experiment.id] = runs, diagnose_runs(runs, curves)
    return found


def vanished(runs: Sequence[RunRecord], curves: Mapping[str, Mapping[str, Curve]], part: float) -> dict[str, list[str]]:
    """Run -> the signatures found in it when `part` of its steps were done, and not at its end; runs without are left
    out. `curves` by kind and run, as in diagnose_runs."""
    ended, found = diagnose_runs(runs, curves), dict[str, list[str]]()
    for run in runs:
        own = {kind: of[run.id] for kind, of in curves.items() if run.id in of}
        cut = {kind: (steps[steps <= part * (run.steps or 0)], values[steps <= part * (run.steps or 0)])
               for kind, (steps, values) in own.items()}
        last = {one.signature.name for one in ended[run.id].findings}
        gone = [one.signature.name for one in diagnose(run.config, cut, steps=run.steps).findings
                if one.signature.name not in last]
        if gone:
            found[run.id] = gone
    return found


def share(count: int, total: int) -> str:
    """A count as a share with its exact 95% interval."""
    interval = binomtest(count, total).proportion_ci(0.95, method="exact")
    return f"{count:4} of {total}  {count / total:6.1%}  ({interval.low:.1%} to {interval.high:.1%})"


def show(runs: Sequence[RunRecord], found: Mapping[str, Diagnosis], each: bool) -> None:
    """Print what is flagged, per signature and overall; with `each`, run by run."""
    total = len(runs)
    counts = Counter(one.signature.name for diagnosis in found.values() for one in diagnosis.findings)
    for name, signature in SIGNATURES.items():
        print(f"  {signature.severity:8} {name:22}{share(counts[name], total)}")
    print(f"  {'any problem':31}{share(sum(bool(one.problems) for one in found.values()), total)}")
    print(f"  {'a note alone':31}{share(sum(bool(d.findings) and not d.problems for d in found.values()), total)}")
    print(f"  unchecked: {dict(Counter(why for one in found.values() for why in one.unchecked.values())) or 'nothing'}")
    for run in (run for run in runs if each):
        for one in found[run.id].findings:
            print(f"    {run.method} {run.shots} shots seed {run.seed}: {one.line}")


def main() -> None:
    """Judge the bundled runs, or those of a store; print what is flagged per experiment and together."""
    parser = argparse.ArgumentParser(prog="python benchmarks/false_flags.py", description=main.__doc__)
    parser.add_argument("--home", type=Path, help="a store of other ordinary runs; the bundled ones by default")
    parser.add_argument("--each", action="store_true", help="name every flagged run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(given.home or Path(folder))
        if given.home is None:
            os.environ["COMPT_DEMO_RUNS"] = "on"
            import_bundles(store)
        experiments = judged(store, bundled=given.home is None)
        for experiment, (runs, found) in experiments.items():
            print(f"{experiment}: {len(runs)} runs on {len(runs[0].config['tasks'])} tasks")
            show(runs, found, given.each)
            curves = {kind: store.curves([run.id for run in runs], kind) for kind in KINDS}
            gone = {part: vanished(runs, curves, part / 100) for part in CUTS}
            told = {run: names for one in gone.values() for run, names in one.items()}
            print(f"  under way, false alarms at {CUTS[0]} to {CUTS[-1]}% of the steps: {told or 'none'}")
        print("together")
        show([run for runs, _ in experiments.values() for run in runs],
             {run: one for _, found in experiments.values() for run, one in found.items()}, each=False)
        store.close()


if __name__ == "__main__":
    main()
