"""Tuning: learning rates and lengths for every method, by the same budget, on seeds that no score is reported on.

The search is optuna's tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), asked for a whole round of
trials at a time so that they train as one fleet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from compt_core.errors import ConfigError, Issue, plural
from compt_core.methods.table import METHODS
from compt_core.runs.record import RunRecord
from compt_core.settings.config import build_experiment
from compt_core.streams import stream
from compt_core.studies.study import Evidence, Figure, Mean, Raw, Reading, Study, beyond, by_seed, gap, mean

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FIRST_SEED = 1000  # of tuning; seeds below it are for reporting
TUNING_SEEDS = 2  # at most, for each trial
ROUNDS, TRIALS = 3, 6  # trials of each method in a round
WIDTH = 5.0  # a rate is drawn between a fifth of where it starts and five times that
START, TUNED, ROUND = "start", "tuned", "round "  # parts: on the seeds to report, and those of the search
RATES = {"source": "lr_source", "private": "lr_private", "attention": "lr_attention", "gates": "lr_gate"}
SEARCHED = (*RATES.values(), "lr_encoder", "prompt_length")
Trial = tuple[Raw, float]  # what was searched over, and its score


def plan(base: Raw) -> Mapping[str, Raw]:
    """The first round, with every row as it starts among its trials; and the starts on the seeds to report."""
    seeds = list(base["seeds"])
    if max(seeds) >= FIRST_SEED:
        raise ConfigError([Issue("seeds", f"The study 'tuning' keeps seeds from {FIRST_SEED} on for the search, so the "
                                          f"seeds to report on must be below. Got {max(seeds)}; choose others.")])
    search = {**base, "seeds": [FIRST_SEED + number for number in range(min(len(seeds), TUNING_SEEDS))],
              "data_seed": None, "init_seed": None}
    starts = {f"{row} 1": own for row, own in base["variants"].items()}
    return {f"{ROUND}1": {**search, "variants": starts | _asked(search, base["variants"], {})}, START: dict(base)}


def grow(parts: Mapping[str, Raw], evidence: Evidence) -> Mapping[str, Raw]:
    """The next round, or at the end the winners on the seeds to report; none when these are there."""
    if TUNED in parts:
        return {}
    found, starts = trials(evidence), parts[START]["variants"]
    if (done := sum(part.startswith(ROUND) for part in parts)) < ROUNDS:
        search = parts[f"{ROUND}1"]
        return {f"{ROUND}{done + 1}": {**search, "variants": _asked(search, starts, found)}}
    return {TUNED: {**parts[START], "variants": {row: {**own, **best(found[row])[0]} for row, own in starts.items()
                                                 if row in found}}}


def space(base: Raw, own: Raw) -> dict[str, BaseDistribution]:
    """What is searched for a row: the rates of the parts that its method trains, and the prompt length."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    run = build_experiment({**base, "variants": {"row": own}}).runs()[0]
    found: dict[str, BaseDistribution] = {}
    for one in METHODS[run.method].parameters(run, 1):
        name = "lr_encoder" if ".encoder." in one.name else RATES[one.part]
        start = getattr(run, name) or (0.0 if one.by_table else one.rate)  # a default by the table has no number
        if start and one.part not in run.freeze:
            found[name] = FloatDistribution(start / WIDTH, start * WIDTH, log=True)
    length = run.prompt_length
    found["prompt_length"] = CategoricalDistribution(sorted({max(1, length // 2), length, 2 * length}))
    return found


def trials(evidence: Evidence) -> dict[str, list[Trial]]:
    """Row -> its trials in order: the settings that are searched, and the mean score over tuning seeds and tasks."""
    scores: dict[tuple[str, int], list[RunRecord]] = {}
    for part, runs in evidence.parts.items():
        for run in runs if part.startswith(ROUND) else ():
            row, _, number = run.variant.rpartition(" ")
            scores.setdefault((row, int(number)), []).append(run)
    found: dict[str, list[Trial]] = {}
    for (row, _), own in sorted(scores.items(), key=lambda item: item[0][1]):
        settings = {key: own[0].config[key] for key in SEARCHED}
        found.setdefault(row, []).append((settings, mean([_score(run) for run in own]).value))
    return found


def best(found: list[Trial]) -> Trial:
    """The trial with the highest score; of equal ones the first."""
    return max(found, key=lambda trial: trial[1])


def _score(run: RunRecord) -> float:
    return float(run.result["mean"] if run.result else 0.0)


def _asked(search: Raw, starts: Mapping[str, Raw], found: Mapping[str, list[Trial]]) -> dict[str, Raw]:
    """The rows of a round: what optuna's sampler asks for after the trials that are known, at random without any."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows: dict[str, Raw] = {}
    for row, own in starts.items():
        known, where = found.get(row, []), space(search, own)
        seed = int(stream(FIRST_SEED, "tuning", row, len(known)).integers(2**31))
        asker = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=TRIALS, constant_liar=True))
        for settings, score in known:
            asker.add_trial(optuna.trial.create_trial(
                params={key: _inside(settings[key], one) for key, one in where.items()}, distributions=where,
                value=score))
        first = len(known) or 1  # the start is trial 1
        for number in range(first + 1, (first // TRIALS + 1) * TRIALS + 1):
            rows[f"{row} {number}"] = {**own, **{key: float(f"{value:.3g}") if isinstance(value, float) else value
                                                for key, value in asker.ask(where).params.items()}}
    return rows


def _inside(value: Any, where: BaseDistribution) -> Any:
    """A value within its bounds, which rounding may leave; for an empty one, the default, the middle of them."""
    low, high = getattr(where, "low", None), getattr(where, "high", None)
    if low is None or high is None:
        return value
    return min(max(value, low), high) if value is not None else (low * high) ** 0.5


def measure(evidence: Evidence) -> Reading:
    """What the search found for every row, and what that is worth on the seeds that it never saw."""
    found = trials(evidence)
    sides = {side: list(evidence.parts.get(side, ())) for side in (START, TUNED)}
    said, numbers = list[str](), dict[str, object]()
    dots = list[tuple[object, ...]]()
    for row, own in found.items():
        settings, score = best(own)
        searched = dict(_searched(settings, own))
        gain = gap(by_seed(sides[TUNED], row), by_seed(sides[START], row))
        said.append(_sentence(_title(row), gain, searched, len(own), 100 * score))
        for side, runs in sides.items():
            if seeds := by_seed(runs, row):
                one = mean(list(seeds.values()))
                dots.append((row, 100 * one.value, side, one.bar))
        numbers[row] = {"settings": searched, "tuning score": score, "trials": len(own),
                        "gain": vars(gain) if gain else None}
    lines = [(number, 100 * max(one for _, one in own[:number]), row, None)
             for row, own in found.items() for number in range(1, len(own) + 1)]
    search = Figure("search", "Best score on the tuning seeds so far", "lines", ("trial", "score", "row", "half"),
                    tuple(lines), "A line that is still rising says that more trials would find more.")
    if not sides[TUNED]:
        return Reading((*said, "The winners are not yet compared on the seeds to report."), (search,), numbers)
    said.insert(0, _order(sides, list(found)))
    return Reading(tuple(said), (Figure(
        "gain", "Score on seeds that the search never saw", "dots", ("row", "score", "settings", "half"), tuple(dots),
        said[0]), search), numbers)


def _searched(settings: Raw, own: list[Trial]) -> Iterator[tuple[str, Any]]:
    """The settings that any trial of a row changed."""
    for key, value in settings.items():
        if len({repr(other[key]) for other, _ in own}) > 1:
            yield key, value


def _sentence(name: str, gain: Mean | None, settings: Raw, count: int, score: float) -> str:
    chosen = ", ".join(f"{key}={value:g}" for key, value in settings.items()) or "its start"
    said = f"{name}: the best of {plural(count, 'trial')} is {chosen}"
    if gain is None:
        return f"{said}, with {score:.1f} on the tuning seeds."
    return (f"{said}. On the seeds to report it is {gain.signed} points from the settings that it started with "
            f"({beyond(gain)}).")


def _order(sides: Mapping[str, list[RunRecord]], rows: list[str]) -> str:
    """Which row is first with tuned settings, how far before the next, and which was first at the start."""
    means = {side: {row: mean(list(seeds.values())) for row in rows if (seeds := by_seed(runs, row))}
             for side, runs in sides.items()}
    first, before = (max(means[side], key=lambda row: means[side][row].value) for side in (TUNED, START))
    leads = [lead for row in means[TUNED] if row != first
             if (lead := gap(by_seed(sides[TUNED], first), by_seed(sides[TUNED], row)))]
    said = f"{_title(first)} is first with tuned settings, at {means[TUNED][first]}"
    if leads:
        lead = min(leads, key=lambda one: one.value)
        said += f", {lead.signed} points before the next ({beyond(lead)})"
    return f"{said}. " + ("It was first before as well." if first == before else
                          f"With the settings at the start {_title(before)} was first.")


def _title(row: str) -> str:
    return METHODS[row].title if row in METHODS else row


STUDY = Study(
    "tuning", "Tuning", "Which learning rates and lengths suit each method, found with the same effort for each?",
    f"Every method gets {ROUNDS * TRIALS} trials in {ROUNDS} rounds: the settings that it starts with, random ones, "
    "and then those that optuna's sampler proposes from what it has seen. Each trial is scored on tuning seeds alone. "
    "At the end the best of each method is compared with its start on the seeds to report, which the search never saw.",
    ("A search of this size finds good settings and not the best; the figure shows whether it was still rising.",
     "What is found holds for this backbone, these tasks, shots and steps.",
     "The best of many trials is partly luck, so its score on the tuning seeds is too high; the other seeds are not."),
    plan, measure,
    {"preset": "demo", "methods": ["pt", "mst", "spp", "scp"], "seeds": "0-9", "eval_rows": 150, "watch_rows": 0},
    {"preset": "demo", "methods": ["pt", "spp"], "tasks": "demo-mood,demo-reword,demo-follows", "steps": 40,
     "eval_rows": 40, "watch_rows": 0}, grow=grow)
