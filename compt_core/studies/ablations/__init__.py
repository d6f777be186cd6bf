"""Ablations: what each part of ComPT is worth: normaliser x form x S x P x gates x encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

from compt_core.errors import plural
from compt_core.runs.record import RunRecord
from compt_core.streams import stream
from compt_core.studies.study import Evidence, Figure, Mean, Raw, Reading, Study, beyond, mean

LEVELS: Mapping[str, tuple[Any, ...]] = {
    "normalizer": ("softmax", "sparsemax", "entmax15", "sigmoid"), "form": ("mean", "gated_sum", "sum"),
    "sources": (2, 4, 8), "prompt_length": (5, 10), "gates": ("learned", "off"), "encoder": ("residual", "mlp", "none"),
}
MOST = 36  # settings of the grid that are trained; where there are more, so many are drawn
_START: Raw = {"lr_source": None, "lr_private": None}  # rates that suit one encoder would spoil another


def plan(base: Raw) -> Mapping[str, Raw]:
    """Rows drawn from the whole grid, the same ones each time; every level has nearly as many rows as any other."""
    grid = list(product(*LEVELS.values()))
    order, chosen = stream(0, "ablations").permutation(len(grid)), list[tuple[Any, ...]]()
    counts: dict[tuple[int, Any], int] = {}
    while len(chosen) < min(MOST, len(grid)):  # the least used levels next
        best = min((grid[int(at)] for at in order if grid[int(at)] not in chosen),
                   key=lambda one: sum(counts.get(pair, 0) for pair in enumerate(one)))
        chosen.append(best)
        for pair in enumerate(best):
            counts[pair] = counts.get(pair, 0) + 1
    own = {**base["variants"].get("spp", {}), "method": "spp"}
    rows = {f"setting {number}": {**own, **(_START if settings[-1] == "none" else {}),
                                  **dict(zip(LEVELS, settings, strict=True))}
            for number, settings in enumerate(chosen, 1)}
    return {"grid": {**base, "variants": rows}}


def measure(evidence: Evidence) -> Reading:
    """Main effects of every level, and of pairs of levels beyond them, each less the mean of all settings."""
    runs = evidence.runs()
    effects = main_effects(runs)
    best = max(effects, key=lambda pair: effects[pair].value)
    worst = min(effects, key=lambda pair: effects[pair].value)
    sure = [pair for pair, one in effects.items() if one.half is not None and abs(one.value) > one.half]
    rows = len({run.variant for run in runs})
    of = f"{plural(rows, 'setting')} of {plural(_size(), 'possible one')}"
    said = [f"{_named(best)} is worth most: {effects[best].signed} points against the mean of all settings "
            f"({beyond(effects[best])}).",
            f"{_named(worst)} costs most: {effects[worst].signed} points ({beyond(effects[worst])}).",
            f"Beyond their interval are {', '.join(f'{_named(pair)} ({effects[pair].signed})' for pair in sure)}."
            if sure else "No level is away from the mean by more than its interval.",
            f"Trained were {of}, drawn so that each level is used about equally often."]
    table = [(f"{name}={level}", 100 * one.value, name, one.bar) for (name, level), one in effects.items()]
    pairs = pair_effects(runs, effects)
    strongest = sorted(pairs, key=lambda key: -abs(pairs[key].value))[:20]
    return Reading(tuple(said), (
        Figure("effects", "What each level is worth", "dots", ("level", "points against the mean", "setting", "half"),
               tuple(table), said[0]),
        Figure("pairs", "Pairs of levels beyond their single effects", "dots",
               ("pair", "points", "settings", "half"), tuple(
                   (f"{_named(one)}, {_named(other)}", 100 * pairs[one, other].value, f"{one[0]} x {other[0]}",
                    pairs[one, other].bar) for one, other in strongest),
               "The twenty strongest of all pairs; with so many, some are far from 0 by chance.")),
        {"effects": {_named(pair): vars(one) for pair, one in effects.items()},
         "pairs": {f"{_named(one)}, {_named(other)}": vars(found) for (one, other), found in pairs.items()},
         "settings": rows})


Level = tuple[str, Any]


def main_effects(runs: Sequence[RunRecord]) -> dict[Level, Mean]:
    """(setting, level) -> its mean score less the mean of all, a value for each seed."""
    return {(name, level): mean(gaps) for name, levels in LEVELS.items() for level in levels
            if (gaps := _gaps(runs, ((name, level),)))}


def pair_effects(runs: Sequence[RunRecord], effects: Mapping[Level, Mean]) -> dict[tuple[Level, Level], Mean]:
    """What two levels together are worth beyond the sum of both."""
    found = {}
    for one, other in combinations(effects, 2):
        if one[0] != other[0] and (gaps := _gaps(runs, (one, other))):
            both = effects[one].value + effects[other].value
            found[one, other] = mean([gap - both for gap in gaps])
    return found


def _gaps(runs: Sequence[RunRecord], levels: Sequence[Level]) -> list[float]:
    """For each seed the mean score of the runs with all these levels, less that of all runs."""
    found = []
    for seed in dict.fromkeys(run.seed for run in runs):
        scores = {run.id: float(run.result["mean"]) for run in runs if run.seed == seed and run.result}
        own = [scores[run.id] for run in runs if run.id in scores
               and all(run.config[name] == level for name, level in levels)]
        if own:
            found.append(mean(own).value - mean(list(scores.values())).value)
    return found


def _named(pair: Level) -> str:
    return f"{pair[0]}={pair[1]}"


def _size() -> int:
    count = 1
    for levels in LEVELS.values():
        count *= len(levels)
    return count


STUDY = Study(
    "ablations", "Ablations", "What is each part of ComPT worth?",
    "SPP is trained with combinations of normaliser, form, number of sources, prompt length, gates and encoder. The "
    "mean over all settings that share a level, less the mean over all, is what that level is worth.",
    ("Learning rates are the same for all settings but those without an encoder, so a level may be worth more with its "
     "own.", "Where the grid is a drawn part of all combinations, effects of pairs are rough."),
    plan, measure,
    {"preset": "demo", "methods": ["spp"], "seeds": "0-4", "eval_rows": 100, "watch_rows": 0},
    {"preset": "demo", "methods": ["spp"], "steps": 40, "eval_rows": 40, "watch_rows": 0,
     "tasks": "demo-mood,demo-opinion,demo-reword,demo-meaning"})
