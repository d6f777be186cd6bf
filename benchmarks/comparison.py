"""Judge a finished grid. ``python benchmarks/comparison.py [FILE] [--against FILE]``

FILE is what ``python -m compt_core run … --json FILE`` wrote, or a bundled experiment (the default: that of
`demo`). The primary test, fixed before the grids were run: ComPT (SPP) against PT and against MST on the
mean over 8 and 16 shots (`english`: 16 shots), paired by seed, t-test, Holm over the two. All else is exploratory:
other shots, single tasks, and whether attention follows the families of tasks (Mantel's test).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final

import numpy as np
from setting import ROOT

from compt_core.analysis.relatedness import mantel, similarity
from compt_core.methods.table import METHODS
from compt_core.scoring.statistics import half_width, holm, paired
from compt_core.tasks.table import TASKS

COMPT: Final = "spp"
PRIMARY_SHOTS: Final[dict[str, tuple[int, ...]]] = {"demo": (8, 16), "english": (16,)}
Key = tuple[str, int, int]  # method, shots, seed


def read(path: Path) -> dict[Key, dict[str, Any]]:
    """Each run's record by method, shots and seed. Ends the script where the file is no such grid."""
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        return _runs(written)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise SystemExit(f"'{path}' must be a file that run --json wrote, or a bundled grid. {error}") from None


def _runs(written: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    if "common" not in written:
        return {(run["method"], run["shots"], run["seed"]): run for run in written["runs"]}
    first = written["runs"][0]["config"]
    found = {}
    for run in written["runs"]:
        config = first | run["config"]
        found[config["method"], config["shots"], config["seed"]] = written["common"] | run["result"]
    return found


def over(runs: dict[Key, dict[str, Any]], method: str, shots: tuple[int, ...]) -> list[float]:
    """Mean over tasks and `shots`, seed by seed, in points."""
    seeds = sorted({seed for _, _, seed in runs})
    return [100 * fmean(runs[method, count, seed]["mean"] for count in shots) for seed in seeds]


def test(runs: dict[Key, dict[str, Any]], shots: tuple[int, ...], title: str) -> None:
    """Print ComPT against both baselines on the mean over `shots`."""
    own = over(runs, COMPT, shots)
    pairs = {name: paired(own, over(runs, name, shots)) for name in ("pt", "mst")}
    corrected = holm([pair.p for pair in pairs.values()])
    print(f"\n{title}: {METHODS[COMPT].title} {fmean(own):.1f} ± {half_width(own) or 0:.1f}, "
          f"spread over seeds (sd) {stdev(own):.1f}")
    for (name, pair), p in zip(pairs.items(), corrected, strict=True):
        base = over(runs, name, shots)
        print(f"  minus {name.upper():4} {pair.mean:+5.1f} ± {pair.half:.1f}  p {pair.p:.2g}, after Holm {p:.2g}  "
              f"({name.upper()} {fmean(base):.1f} ± {half_width(base) or 0:.1f}, sd {stdev(base):.1f})")


def references(path: Path) -> dict[str, Any]:
    """What no prompt and the most frequent label reach: name -> task -> metric -> score."""
    written = json.loads(path.read_text(encoding="utf-8"))
    return written.get("experiment", written).get("references") or {}


def by_task(runs: dict[Key, dict[str, Any]], shots: int, untrained: dict[str, Any]) -> None:
    """Print each task's mean over seeds, method by method, in points."""
    methods, seeds = list(dict.fromkeys(key[0] for key in runs)), sorted({key[2] for key in runs})
    first = runs[methods[0], shots, seeds[0]]
    print(f"\n{shots} shots, by task: {'  '.join(methods)}; no prompt, most frequent label")
    for task, scores in first["tasks"].items():
        metric = next(iter(scores))
        cells = [[100 * runs[method, shots, seed]["tasks"][task][metric] for seed in seeds] for method in methods]
        given = [untrained.get(name, {}).get(task, {}).get(metric) for name in ("no_prompt", "majority")]
        print(f"  {task:16}" + "  ".join(f"{fmean(cell):5.1f} ± {half_width(cell) or 0:.1f}" for cell in cells)
              + "  | " + "  ".join("?" if one is None else f"{100 * one:.1f}" for one in given))


def families(runs: dict[Key, dict[str, Any]], shots: int) -> None:
    """Print whether the attention of each composed method follows the families of the task table."""
    seeds = sorted({key[2] for key in runs})
    for method in dict.fromkeys(key[0] for key in runs):
        results = [runs[method, shots, seed] for seed in seeds]
        if METHODS[method].composed and all(result.get("attention") for result in results):
            kin = [TASKS[task].family for task in results[0]["tasks"]]
            truth = np.array([[float(a == b) for b in kin] for a in kin])
            test = mantel([similarity(np.array(result["attention"])) for result in results], truth)
            print(f"  {method}, {shots} shots: attention and families r = {test.r:.2f} "
                  f"({min(test.each):.2f} to {max(test.each):.2f}), p = {test.p:.3g}")


def main() -> None:
    """Print the primary test and the table of all shot counts; compare two grids number by number."""
    parser = argparse.ArgumentParser(prog="python benchmarks/comparison.py", description=main.__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=ROOT / "assets" / "demo-runs" / "demo.json")
    parser.add_argument("--against", type=Path, help="another grid, which should hold the same numbers")
    given = parser.parse_args()
    runs = read(given.file)
    shots, methods = sorted({key[1] for key in runs}), list(dict.fromkeys(key[0] for key in runs))
    print(f"{len(runs)} runs: {', '.join(methods)}; {shots} shots; {len({key[2] for key in runs})} seeds")
    primary = PRIMARY_SHOTS.get(given.file.stem, ())
    if primary and set(primary) <= set(shots):
        test(runs, primary, f"Primary test, mean over {' and '.join(map(str, primary))} shots")
    for count in shots:
        test(runs, (count,), f"Exploratory, {count} shots")
    print("\nMean over tasks ± half of the 95% t-interval over seeds [sd over seeds]")
    for count in shots:
        cells = []
        for method in methods:
            values = over(runs, method, (count,))
            cells.append(f"{method} {fmean(values):.1f} ± {half_width(values) or 0:.1f} [{stdev(values):.1f}]")
        print(f"  {count:3} shots: " + "   ".join(cells))
    for count in shots:
        by_task(runs, count, references(given.file))
    print()
    for count in shots:
        families(runs, count)
    if given.against:
        other = read(given.against)
        apart = {key: abs(runs[key]["mean"] - other[key]["mean"]) for key in runs.keys() & other.keys()}
        same = sum(runs[key]["tasks"] == other[key]["tasks"] for key in apart)
        print(f"\n{same} of {len(apart)} runs have the same scores to the last digit; "
              f"the largest distance of a mean is {100 * max(apart.values()):.2f} points")


if __name__ == "__main__":
    main()
