"""Does a large attention weight mean a large effect? ``python benchmarks/ablation.py [--help]``

On bundled runs every source is muted in turn on every task, beside its weight. First the table of one run with its
reading, then for each suite and method, over all seeds: Spearman's rank correlation of weights with the size of what
muting does, and with what is lost by it; the same for random moves of the prompt as long as those of muting; and what
the two parts are worth. Runs with the store of COMPT_HOME.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from compt_core.exchange.bundle import import_bundles  # noqa: E402
from compt_core.runs.record import BUNDLED, RunRecord  # noqa: E402
from compt_core.runs.store import Store  # noqa: E402
from compt_core.whatif.ablation import ablate  # noqa: E402
from compt_core.whatif.effects import MEASURES, SCORE, Ablation, over, relation, side_by_side  # noqa: E402
from compt_core.whatif.trained import taken_apart  # noqa: E402

PERMUTATIONS: Final = 1000  # per run; over seeds the runs' own spread counts


def bundled(store: Store, suite: str) -> list[RunRecord]:
    """The bundled runs of a suite."""
    found = next(one for one in store.experiments(limit=1000)
                 if one.owner == BUNDLED and one.tasks[one.config["tasks"][0]].suite == suite)
    return store.runs(found.id)


def table_of(store: Store, run: RunRecord, renormalise: bool) -> Ablation:
    """A run's table with its control."""
    found = ablate(run, taken_apart(run, store.prompts(run.id)), store.scores(run.id), renormalise=renormalise,
                   control=True)
    assert found is not None
    return found


def summary(table: Ablation, measure: str) -> dict[str, float | None]:
    """What one run says, by one measure."""
    assert table.shifted and table.private_off and table.shared_off
    muted, shifted = table.muted[measure], table.shifted[measure]
    given = {"size": np.abs(muted.change), "loss": -muted.change, "random": np.abs(shifted.change)}
    found = {name: relation(table.weights, one, PERMUTATIONS) for name, one in given.items()}
    kept, own, random = table.weights != 0, found["size"], found["random"]
    return {**{f"{name} {part}": None if one is None else getattr(one, part)
               for name, one in found.items() for part in ("r", "within")},
            "size - random within": None if own is None or random is None else own.within - random.within,
            "told": float(np.nanmean(muted.corrected[kept] < 0.05)),
            "mean size": float(given["size"][kept].mean()), "mean random": float(given["random"][kept].mean()),
            "private off": float(table.private_off[measure].change.mean()),
            "shared off": float(table.shared_off[measure].change.mean())}


def show(name: str, each: Sequence[dict[str, Any]]) -> None:
    """A line per number: mean and half of the 95% t-interval over the runs, lowest and highest."""
    print(f"\n{name}, {len(each)} runs")
    for key in each[0]:
        found = over([one[key] for one in each])
        said = "undefined" if found is None else \
            f"{found.mean:7.3f} ± {found.half or 0:.3f}   {min(found.each):7.3f} to {max(found.each):.3f}" \
            f"   {len(found.each)} runs"
        print(f"  {key:21} {said}")


def read_aloud(table: Ablation, measure: str) -> None:
    """The table as numbers, and its reading."""
    from app.show.captions import plain
    from app.whatif.ablation import words

    scale, digits = (100, 1) if measure == SCORE else (1, 2)
    print(f"\n{measure}: weight / effect of muting, by source; private off, shared off; * told from 0 after Holm")
    muted = table.muted[measure]
    assert table.private_off and table.shared_off
    parts = side_by_side(table.private_off[measure], table.shared_off[measure])
    for k, task in enumerate(table.tasks):
        cells = [f"{table.weights[k, s]:.2f} / {scale * muted.change[k, s]:+.{digits}f}"
                 f"{'*' if muted.corrected[k, s] < 0.05 else ' '}" for s in range(table.weights.shape[1])]
        off = [f"{scale * parts.change[k, i]:+.{digits}f}{'*' if parts.corrected[k, i] < 0.05 else ' '}"
               for i in range(2)]
        print(f"  {task:16}{''.join(f'{cell:>17}' for cell in cells)}   {''.join(f'{one:>9}' for one in off)}")
    print("\n".join(f"  - {plain([line])}" for line in words.reading(table, measure)))


def main() -> None:
    """Print the table of one run and the correlations over seeds; write the latter to --json."""
    parser = argparse.ArgumentParser(prog="python benchmarks/ablation.py", description=main.__doc__)
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--suites", default="demo,demo-glue")
    parser.add_argument("--methods", default="spp,scp")
    parser.add_argument("--most", type=int, default=10, help="seeds; 0: only the table of one run")
    parser.add_argument("--renormalise", action="store_true", help="scale what is left to the row's sum")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    store = Store()
    import_bundles(store)
    suites, written = given.suites.split(","), dict[str, Any]()
    method = given.methods.split(",")[0]
    first = next(run for run in bundled(store, suites[0])
                 if (run.method, run.shots, run.seed) == (method, given.shots, 0))
    print(f"Run {first.id}: {method} on {suites[0]}, {given.shots} shots, seed 0")
    one = table_of(store, first, given.renormalise)
    for measure in MEASURES:
        read_aloud(one, measure)
    for suite in suites if given.most else ():
        for method in given.methods.split(","):
            chosen = [run for run in bundled(store, suite) if (run.method, run.shots) == (method, given.shots)]
            tables = [table_of(store, run, given.renormalise) for run in chosen[:given.most]]
            for measure in MEASURES:
                each = [summary(table, measure) for table in tables]
                written[f"{suite} {method} {measure}"] = each
                show(f"{suite}, {method}, {measure}", each)
    if given.json:
        given.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
