"""Is it the length? Every method at equal prompt length and at equal numbers of trained parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compt_core.backbone.load import find_backbone
from compt_core.methods.table import METHODS, trainable_parameters
from compt_core.settings.config import RunConfig
from compt_core.settings.fields import Settings
from compt_core.studies.study import Evidence, Figure, Raw, Reading, Study, beyond, by_seed, gap, mean

WIDEST = 4096  # the encoder's largest hidden width


def plan(base: Raw) -> Mapping[str, Raw]:
    """Every row with its own settings, at the length of the longest row, and with as many numbers as the largest."""
    rows = {name: _config(base, own) for name, own in base["variants"].items()}
    hidden = find_backbone(base["backbone"]).hidden
    longest = max(METHODS[row.method].structure(row).length for row in rows.values())
    most = max(trainable_parameters(row, hidden) for row in rows.values())
    found: dict[str, Raw] = {}
    for name, own in base["variants"].items():
        found[name] = own
        same = {**own, "prompt_length": longest}
        if METHODS[own["method"]].structure(rows[name]).length != longest:
            found[f"{name} equal length"] = same
        width = None if rows[name].encoder == "none" else wide_enough(_config(base, same), hidden, most)
        if width not in (None, rows[name].encoder_hidden):
            found[f"{name} equal numbers"] = {**same, "encoder_hidden": width}
    return {"length": {**base, "variants": found}}


def wide_enough(config: RunConfig, hidden: int, numbers: int) -> int | None:
    """The width of the prompt encoder with which a run trains as near to `numbers` numbers as it can; None if the
    widest one is not enough."""
    def size(width: int) -> int:
        return trainable_parameters(config.model_copy(update={"encoder_hidden": width}), hidden)

    if size(WIDEST) < numbers:
        return None
    low, high = 1, WIDEST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if size(middle) >= numbers else (middle + 1, high)
    return low if low == 1 or abs(size(low) - numbers) <= abs(size(low - 1) - numbers) else low - 1


def measure(evidence: Evidence) -> Reading:
    """Each row's score and its difference from the first composed row, with what it trains."""
    runs = evidence.runs()
    rows = list(dict.fromkeys(run.variant for run in runs))
    composed = next((run.variant for run in runs if METHODS[run.method].composed), rows[-1])
    scores = {row: by_seed(runs, row) for row in rows}
    means = {row: mean(list(own.values())) for row, own in scores.items()}
    numbers = {run.variant: run.result["trainable_parameters"] for run in runs if run.result}
    leads = {row: lead for row in rows if row != composed and (lead := gap(scores[composed], scores[row]))}
    said = [f"{composed} is {lead.signed} points from {row} ({beyond(lead)}); {row} trains "
            f"{numbers[row]:,} numbers and {composed} {numbers[composed]:,}." for row, lead in leads.items()]
    table = [(row, 100 * one.value, f"{numbers[row]:,} trained numbers", one.bar) for row, one in means.items()]
    figure = Figure("scores", "Mean score at equal length and equal numbers", "dots",
                    ("row", "score", "trained numbers", "half"), tuple(table), " ".join(said[:2]))
    return Reading(tuple(said), (figure,), {
        "scores": {row: vars(one) for row, one in means.items()}, "trained_numbers": numbers,
        "leads": {row: vars(one) for row, one in leads.items()}, "composed": composed})


def _config(base: Raw, own: Mapping[str, Any]) -> RunConfig:
    return RunConfig(**{**{key: base[key] for key in Settings.model_fields if key in base}, **own})


STUDY = Study(
    "length", "Is it the length?",
    "Is ComPT ahead only because its prompts are longer, or because it trains more numbers?",
    "Every row is trained as it is, at the prompt length of the longest row, and with its prompt encoder so wide that "
    "it trains as many numbers as the largest row.",
    ("Learning rates were chosen for the rows as they are, so a longer or wider one may not have its best.",),
    plan, measure,
    {"preset": "demo", "methods": ["pt", "mst", "mpt", "spp", "scp"], "seeds": "0-9", "watch_rows": 0},
    {"preset": "demo", "methods": ["pt", "mst", "spp"], "steps": 80, "eval_rows": 60, "watch_rows": 0,
     "tasks": "demo-mood,demo-opinion,demo-reword,demo-follows"})
