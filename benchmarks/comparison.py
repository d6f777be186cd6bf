"""Judge a finished grid. ``python benchmarks/comparison.py [FILE] [--against FILE]``

FILE is what ``python -m compt_core run … --json FILE`` wrote, or a bundled experiment (the default: that of
`demo`). The primary test, fixed before the seeds 0-9 were run: ComPT (SPP) against PT and against MST on the
mean over 8 and 16 shots, paired by seed, t-test, Holm over the two. All else is exploratory.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final

from setting import ROOT

from compt_core.methods.table import METHODS
from compt_core.scoring.statistics import half_width, holm, paired

COMPT: Final = "spp"
PRIMARY_SHOTS: Final = (8, 16)
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


def main() -> None:
    """Print the primary test and the table of all shot counts; compare two grids number by number."""
    parser = argparse.ArgumentParser(prog="python benchmarks/comparison.py", description=main.__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=ROOT / "assets" / "demo-runs" / "demo.json")
    parser.add_argument("--against", type=Path, help="another grid, which should hold the same numbers")
    given = parser.parse_args()
    runs = read(given.file)
    shots, methods = sorted({key[1] for key in runs}), list(dict.fromkeys(key[0] for key in runs))
    print(f"{len(runs)} runs: {', '.join(methods)}; {shots} shots; {len({key[2] for key in runs})} seeds")
    if set(PRIMARY_SHOTS) <= set(shots):
        test(runs, PRIMARY_SHOTS, "Mean over 8 and 16 shots (on demo the primary test)")
    for count in shots:
        test(runs, (count,), f"Exploratory, {count} shots")
    print("\nMean over tasks ± half of the 95% t-interval over seeds [sd over seeds]")
    for count in shots:
        cells = []
        for method in methods:
            values = over(runs, method, (count,))
            cells.append(f"{method} {fmean(values):.1f} ± {half_width(values) or 0:.1f} [{stdev(values):.1f}]")
        print(f"  {count:3} shots: " + "   ".join(cells))
    if given.against:
        other = read(given.against)
        apart = {key: abs(runs[key]["mean"] - other[key]["mean"]) for key in runs.keys() & other.keys()}
        same = sum(runs[key]["tasks"] == other[key]["tasks"] for key in apart)
        print(f"\n{same} of {len(apart)} runs have the same scores to the last digit; "
              f"the largest distance of a mean is {100 * max(apart.values()):.2f} points")


if __name__ == "__main__":
    main()
