"""What makes ComPT swing from seed to seed? ``python benchmarks/stability.py [--help]``

One setting at a time away from the preset `demo`, on tuning seeds that the search did not use: learning
rate of the prompt encoders, range of the initial embeddings, form, prompt length, normaliser; then the
sample of rows alone and the initialisation alone. Prints mean and standard deviation over seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final

from setting import default_run, measure_runs

from compt_core.settings.values import as_list

COMPT: Final = "spp"
FIRST_UNUSED: Final = 1014
CHANGES: Final[dict[str, list[Any]]] = {
    "lr_encoder": [0.001, 0.003, 0.01, 0.03], "init_range": [0.1, 0.25, 0.5, 1.0],
    "form": ["mean", "gated_sum", "sum"], "prompt_length": [5, 10], "clip": [0.3, 1.0, 3.0],
    "normalizer": ["softmax", "entmax15", "sparsemax"], "gates": ["learned", "off"],
    "data_seed": [FIRST_UNUSED], "init_seed": [FIRST_UNUSED],  # only the other one varies
}


def main() -> None:
    """Train, print the table, and write every run's mean accuracy to --json."""
    parser = argparse.ArgumentParser(prog="python benchmarks/stability.py", description=main.__doc__)
    parser.add_argument("--seeds", default=f"{FIRST_UNUSED}-{FIRST_UNUSED + 5}")
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    seeds = as_list(given.seeds)
    usual = default_run(COMPT, given.shots, 0)
    changes = [{}, *({name: value} for name, values in CHANGES.items() for value in values
                     if getattr(usual, name) != value)]
    runs = {f"{number} {seed}": default_run(COMPT, given.shots, seed, **change)
            for number, change in enumerate(changes) for seed in seeds}
    runs |= {f"PT {seed}": default_run("pt", given.shots, seed) for seed in seeds}
    results = measure_runs(runs)
    found = {"PT": [results[f"PT {seed}"]["mean"] for seed in seeds]}
    for number, change in enumerate(changes):
        name = ", ".join(f"{key}={value}" for key, value in change.items()) or "ComPT as it is"
        found[name] = [results[f"{number} {seed}"]["mean"] for seed in seeds]
    for name, values in found.items():
        print(f"{name:24} {100 * fmean(values):5.1f}  sd {100 * stdev(values):4.1f}  "
              f"lowest {100 * min(values):5.1f}")
    if given.json:
        given.json.write_text(json.dumps({"shots": given.shots, "seeds": seeds, "means": found}, indent=1) + "\n",
                              encoding="utf-8")


if __name__ == "__main__":
    main()
