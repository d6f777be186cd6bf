"""What makes ComPT's score on `demo`: controls. ``python benchmarks/controls.py [--help]``

On the comparison's seeds and shot counts, with the preset's settings, all of a shot count side by side,
beside PT, MST and ComPT from the bundled grid: the family oracle (one shared prompt per true family, no private part);
ComPT with its attention fixed to the true families (also with the oracle's form and fixed gates, so that nothing but
the private part differs), to families permuted anew for each seed, and to uniform; PT with
ComPT's prompt length, and with as many trained parameters; PT and ComPT with more steps than the search
allowed, and trained on shuffled labels. ``--only steps`` takes the rows whose name holds that word.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from comparison import read
from setting import ROOT, default_run, measure_runs, rows_of

from compt_core.language.suites import DEMO_SUITE
from compt_core.planning.check import trainable_parameters
from compt_core.scoring.statistics import half_width, paired
from compt_core.settings.config import RunConfig
from compt_core.settings.presets import DEMO_TASKS
from compt_core.settings.values import as_list
from compt_core.streams import stream
from compt_core.tasks.spec import TaskData

FAMILIES: Final = tuple(dict.fromkeys(task.family for task in DEMO_SUITE))
COMPT: Final = "spp"
HIDDEN: Final = 64  # of the demo backbone


def family_attention(order: Sequence[int] = range(len(DEMO_SUITE))) -> list[list[float]]:
    """A row per task: 1 at the source of its family, after the tasks were put into `order`."""
    return [[float(DEMO_SUITE[place].family == family) for family in FAMILIES] for place in order]


def permuted_attention(seed: int) -> list[list[float]]:
    """Families of the true sizes, dealt at random."""
    return family_attention(stream(seed, "controls", "permuted").permutation(len(DEMO_SUITE)).tolist())


def oracle(shots: int, seed: int) -> RunConfig:
    """One shared prompt per true family, with ComPT's settings."""
    return default_run(COMPT, shots, seed, sources=len(FAMILIES), attention=family_attention(), form="mean",
                       gates="fixed", alpha=0.0, beta=1.0)


def with_attention(matrix: Callable[[int], list[list[float]]]) -> Callable[[int, int], RunConfig]:
    """ComPT with its attention fixed."""
    return lambda shots, seed: default_run(COMPT, shots, seed, sources=len(FAMILIES), attention=matrix(seed))


def plain_families(shots: int, seed: int) -> RunConfig:
    """The family oracle with a private prompt beside the shared one, both in equal parts."""
    return default_run(COMPT, shots, seed, sources=len(FAMILIES), attention=family_attention(), form="mean",
                       gates="fixed", alpha=1.0, beta=1.0)


def as_long(shots: int, seed: int) -> RunConfig:
    """PT with ComPT's prompt length."""
    return default_run("pt", shots, seed, prompt_length=default_run(COMPT, shots, seed).prompt_length)


def as_many(shots: int, seed: int) -> RunConfig:
    """PT with the prompt length, or without an encoder, or else the encoder width that comes closest to ComPT's
    number of trained parameters."""
    wanted, own = trainable_parameters(default_run(COMPT, shots, seed), HIDDEN), default_run("pt", shots, seed)
    name = "prompt_length" if own.encoder == "none" else "encoder_hidden"
    return min((own.model_copy(update={name: size}) for size in range(1, 1025)),
               key=lambda config: abs(trainable_parameters(config, HIDDEN) - wanted))


def longer(method: str, times: int) -> Callable[[int, int], RunConfig]:
    """A method with more steps than the search allowed."""
    def run(shots: int, seed: int) -> RunConfig:
        return default_run(method, shots, seed, steps=times * (default_run(method, shots, seed).steps or 0))

    return run


def shuffled(data: TaskData) -> TaskData:
    """The task with the labels of its training rows dealt anew; dev rows keep theirs."""
    dealt = stream(0, "controls", "shuffled", data.task.name).permutation(len(data.train))
    rows = tuple(replace(row, label=data.train[i].label, value=data.train[i].value)
                 for row, i in zip(data.train, dealt, strict=True))
    return replace(data, train=rows)


def line(values: Sequence[float]) -> str:
    """Mean and half of the 95% t-interval, in points."""
    return f"{100 * np.mean(values):5.1f} ± {100 * (half_width(values) or 0):4.1f}"


def main() -> None:
    """Train, print the table, and write every run's mean accuracy to --json."""
    parser = argparse.ArgumentParser(prog="python benchmarks/controls.py", description=main.__doc__)
    parser.add_argument("--seeds", default="0-9")
    parser.add_argument("--shots", default="8,16")
    parser.add_argument("--only", default="", help="a word of the names of the controls to run")
    parser.add_argument("--grid", type=Path, default=ROOT / "assets" / "demo-runs" / "demo.json")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    seeds, shot_counts = as_list(given.seeds), as_list(given.shots)
    data = rows_of(DEMO_TASKS, None)
    mixed = tuple(map(shuffled, data))
    predictors: dict[str, Callable[[int, int], RunConfig]] = {
        "family oracle": oracle,
        "ComPT, attention = true families": with_attention(lambda seed: family_attention()),
        "ComPT, true families, form and gates as the oracle": plain_families,
        "ComPT, attention = permuted families": with_attention(permuted_attention),
        "ComPT, attention uniform": lambda shots, seed: default_run(COMPT, shots, seed, attention="uniform"),
        "PT, as long as ComPT": as_long,
        "PT, as many parameters as ComPT": as_many,
        "PT, twice the steps": longer("pt", 2),
        "PT, four times the steps": longer("pt", 4),
        "ComPT, twice the steps": longer(COMPT, 2),
        "PT, shuffled labels": lambda shots, seed: default_run("pt", shots, seed),
        "ComPT, shuffled labels": lambda shots, seed: default_run(COMPT, shots, seed),
    }
    predictors = {name: make for name, make in predictors.items() if given.only in name}
    grid = {"PT": "pt", "MST": "mst", "ComPT": COMPT}
    bundled = read(given.grid)
    found: dict[str, dict[int, list[float]]] = {
        name: {shots: [bundled[method, shots, seed]["mean"] for seed in seeds] for shots in shot_counts}
        for name, method in grid.items()} | {name: {} for name in predictors}
    for shots in shot_counts:
        runs = {f"{name}|{seed}": make(shots, seed) for name, make in predictors.items() for seed in seeds}
        results = measure_runs(runs, load=lambda run: mixed if "shuffled" in run else data)
        for name in predictors:
            found[name][shots] = [results[f"{name}|{seed}"]["mean"] for seed in seeds]
    configs = {name: default_run(method, shot_counts[0], seeds[0]) for name, method in grid.items()} \
        | {name: make(shot_counts[0], seeds[0]) for name, make in predictors.items()}
    size = {name: trainable_parameters(config, HIDDEN) for name, config in configs.items()}
    base = {name: [float(np.mean(values)) for values in zip(*by_shots.values(), strict=True)]
            for name, by_shots in found.items()}
    print(f"{'':54}{'parameters':>11}" + "".join(f"{f'{shots} shots':>16}" for shots in shot_counts)
          + f"{'mean':>15}{'minus ComPT':>17}")
    for name, by_shots in found.items():
        gap = paired(base[name], base["ComPT"])
        print(f"{name:54}{size[name]:>11,}" + "".join(f"{line(values):>16}" for values in by_shots.values())
              + f"{line(base[name]):>16}{f'{100 * gap.mean:+5.1f} ± {100 * gap.half:.1f}':>16}")
    if given.json:
        written: dict[str, Any] = {"seeds": seeds, "parameters": size, "means": found}
        given.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
