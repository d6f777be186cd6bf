"""Choose each method's settings for the preset `demo`. ``python benchmarks/tuning.py [--help]``

The same search for every method, on the tuning seeds alone: random trials from a space of the method's
own settings (the first trial is where it started from), then a second wave of trials near the best of
the first. In each wave the better ones go on to more seeds. A trial's score is its mean accuracy over 8
and 16 shots. Among trials within NEAR of the best, the one with the smallest spread over seeds is chosen. At the end
all methods take fewer steps if none loses NEAR by it.
Every number goes to --json, which a second call goes on from; nothing here may look at the seeds below
FIRST_SEED, on which the methods are compared.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final

import torch
from setting import ROOT

from compt_core.backbone.load import Backbone, find_backbone, load_backbone
from compt_core.settings.config import build_experiment
from compt_core.settings.presets import DEMO_TASKS
from compt_core.streams import stream
from compt_core.training.fleet_run import train_fleet

FIRST_SEED: Final = 1000
SHOTS: Final = (8, 16)
# Of each wave (trials that go on, seeds that each has been trained with by then).
WAVES: Final = (((20, 2), (6, 6), (3, 14)), ((12, 2), (4, 6), (2, 14)))
NEAR: Final = 0.01
START: Final = {"tasks": DEMO_TASKS, "backbone": "demo", "batch": 36, "steps": 200, "encoder": "residual",
                "prompt_length": 5, "lr_encoder": 0.01}
COMPOSED: Final = {"sources": 4, "normalizer": "softmax"}

# A list is drawn from evenly, a pair of floats log-uniformly.
SHARED_SPACE: Final[dict[str, Any]] = {
    "steps": [100, 150, 200], "prompt_length": [3, 5, 10], "encoder": ["residual", "residual", "none"],
    "lr_encoder": (0.001, 0.03), "init_range": [0.25, 0.5, 1.0], "clip": [0.3, 1.0, 3.0],
}
SOURCE: Final = {"lr_source": (0.01, 0.3)}
PRIVATE: Final = {"lr_private": (0.01, 0.3)}
COMPOSITION: Final[dict[str, Any]] = {
    **SOURCE, **PRIVATE, "lr_attention": (0.03, 1.0), "lr_gate": (0.03, 0.3), "sources": [3, 4, 6, 8],
    "normalizer": ["softmax", "sparsemax", "entmax15"], "gates": ["learned", "off"],
}
SPACES: Final[dict[str, dict[str, Any]]] = {
    "pt": {**SHARED_SPACE, **PRIVATE},
    "mst": {**SHARED_SPACE, **SOURCE},
    "spp": {**SHARED_SPACE, **COMPOSITION, "form": ["mean", "gated_sum", "sum"]},
    "scp": {**SHARED_SPACE, **COMPOSITION},
}
# Only in the second wave. The first showed attention near uniform whatever its rate: AdamW's decay is rate x .1 a step,
# so a large rate also pulls the logits back to 0. Hence the decays, for every method, and attention's rate drawn anew.
LATER_SHARED: Final[dict[str, Any]] = {"warmup": [0.05, 0.2], "weight_decay_prompt": [0.0, 0.01, 0.1]}
LATER_COMPOSED: Final[dict[str, Any]] = {"weight_decay_weights": [0.0, 0.01, 0.1]}
SHORTER: Final = 150  # steps that are taken for all methods if none loses NEAR by them: a demo should not take long
KEEP: Final = 0.7  # how often a choice stays as the best trial has it
Scores = dict[str, dict[str, float]]  # shots -> seed -> mean accuracy over tasks


def draw(method: str, trial: int) -> dict[str, Any]:
    """The settings of a trial; the first is the start."""
    space = SPACES[method]
    composed = "sources" in space
    if trial == 0:
        return {**START, **(COMPOSED if composed else {})}
    dice = stream(FIRST_SEED, "tuning", method, trial)
    found = dict(START)
    for name, choice in space.items():
        if isinstance(choice, tuple):
            low, high = choice
            found[name] = float(f"{low * (high / low) ** dice.random():.2g}")
        else:
            found[name] = choice[int(dice.integers(len(choice)))]
    if found["encoder"] == "none":  # the embedding itself is the prompt: larger rates, and no encoder to set
        found |= {name: float(f"{5 * found[name]:.2g}") for name in ("lr_source", "lr_private") if name in found}
        found = {name: value for name, value in found.items() if name not in ("lr_encoder", "init_range")}
    if found.get("form") == "sum":
        found.pop("lr_gate")
    return found


def draw_near(method: str, trial: int, best: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a trial of the second wave: rates within a factor of 2 of the best trial's, most choices kept."""
    space = SPACES[method] | LATER_SHARED | (LATER_COMPOSED if "sources" in best else {})
    dice = stream(FIRST_SEED, "tuning", method, trial)
    found = dict(best)
    for name, choice in space.items():
        spin, pick = dice.random(), dice.random()
        if name == "encoder" or (name == "init_range" and best["encoder"] == "none"):
            continue
        if isinstance(choice, list):
            if spin > KEEP:
                found[name] = choice[int(pick * len(choice))]
        elif name == "lr_attention":
            found[name] = float(f"{choice[0] * (choice[1] / choice[0]) ** spin:.2g}")
        elif name in best:
            found[name] = float(f"{best[name] * 4 ** (spin - 0.5):.2g}")
    return found


def measure(method: str, trials: Mapping[str, Mapping[str, Any]], seeds: list[int], rows: int, backbone: Backbone
            ) -> dict[str, Scores]:
    """Train the trials on the seeds and both shot counts side by side; `rows` dev rows of each task are scored."""
    configs = {}
    for name, settings in trials.items():
        raw = {**settings, "methods": [method], "shots": SHOTS, "seeds": seeds, "eval_rows": rows}
        for config in build_experiment(raw).runs():
            configs[f"{name} {config.shots} {config.seed}"] = config
    outcomes = train_fleet(configs, lambda event: None, lambda run: "keep", backbone=backbone)
    found: dict[str, Scores] = {name: {str(shots): {} for shots in SHOTS} for name in trials}
    for run, outcome in outcomes.items():
        name, shots, seed = run.split()
        # A run whose loss is not finite counts as chance: its settings are no good.
        found[name][shots][seed] = round(outcome.result["mean"], 5) if outcome.result else 0.5
    return found


def per_seed(scores: Scores) -> list[float]:
    """Mean over shot counts, by seed."""
    return [fmean(scores[str(shots)][seed] for shots in SHOTS) for seed in sorted(scores[str(SHOTS[0])])]


def best_first(trials: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the trials with most seeds, by mean score."""
    most = max(len(per_seed(trial["scores"])) for trial in trials.values())
    told = {name: fmean(per_seed(trial["scores"])) for name, trial in trials.items()
            if len(per_seed(trial["scores"])) == most}
    return sorted(told, key=lambda name: -told[name])


def choose(trials: Mapping[str, Mapping[str, Any]]) -> str:
    """Of the trials with most seeds and a mean within NEAR of the best, the one with the smallest spread."""
    order = best_first(trials)
    values = {name: per_seed(trials[name]["scores"]) for name in order}
    near = [name for name in order if fmean(values[name]) >= fmean(values[order[0]]) - NEAR]
    return min(near, key=lambda name: stdev(values[name]))


def search(method: str, written: dict[str, Any], rows: int, backbone: Backbone, save: Callable[[], None]) -> None:
    """Run what `written` does not hold yet of each wave."""
    trials = written.setdefault(method, {})
    begin = 0
    for wave in WAVES:
        count = wave[0][0]
        names = [str(number) for number in range(begin, begin + count)]
        for name in names:
            if name not in trials:
                settings = draw_near(method, int(name), trials[choose(trials)]["settings"]) if begin else \
                    draw(method, int(name))
                trials[name] = {"settings": settings, "scores": {str(shots): {} for shots in SHOTS}}
        _halve(method, {name: trials[name] for name in names}, wave, rows, backbone, save)
        begin += count


def _halve(method: str, trials: dict[str, Any], wave: Sequence[tuple[int, int]], rows: int, backbone: Backbone,
           save: Callable[[], None]) -> None:
    """Train ever fewer trials of a wave with ever more seeds."""
    done = 0
    for keep, seeds in wave:
        going = list(trials) if done == 0 else best_first(trials)[:keep]
        missing = [name for name in going if len(per_seed(trials[name]["scores"])) < seeds]
        if missing:
            begun = time.perf_counter()
            new = list(range(FIRST_SEED + done, FIRST_SEED + seeds))
            found = measure(method, {name: trials[name]["settings"] for name in missing}, new, rows, backbone)
            for name, scores in found.items():
                for shots, by_seed in scores.items():
                    trials[name]["scores"][shots] |= by_seed
            save()
            took = time.perf_counter() - begun
            print(f"{method}: {len(missing)} trials to {seeds} seeds in {took:.0f} s", flush=True)
        done = seeds


def shorten(written: dict[str, Any], rows: int, backbone: Backbone, save: Callable[[], None]) -> None:
    """Train each method's chosen trial again with SHORTER steps, on the same seeds."""
    for method, trials in written.items():
        if "shorter" in trials:
            continue
        chosen = trials[choose(trials)]
        settings = {**chosen["settings"], "steps": SHORTER}
        seeds = [int(seed) for seed in chosen["scores"][str(SHOTS[0])]]
        scores = measure(method, {"shorter": settings}, seeds, rows, backbone)["shorter"]
        trials["shorter"] = {"settings": settings, "scores": scores}
        save()


def final(written: Mapping[str, Any]) -> dict[str, str]:
    """Method -> the trial whose settings are taken: each one's choice, or all with SHORTER steps if none loses NEAR."""
    chosen, lost = {}, []
    for method, trials in written.items():
        chosen[method] = choose({name: trial for name, trial in trials.items() if name != "shorter"})
        means = [fmean(per_seed(trials[name]["scores"])) for name in (chosen[method], "shorter")]
        lost.append(means[0] - means[1])
    return dict.fromkeys(written, "shorter") if max(lost) < NEAR else chosen


def report(written: Mapping[str, Any]) -> None:
    """Print the chosen settings and the table of all trials."""
    taken = final(written)
    for method, trials in written.items():
        print(f"\n{method}: taken {taken[method]}: {trials[taken[method]]['settings']}")
        order = sorted(trials, key=lambda name: (-len(per_seed(trials[name]["scores"])),
                                                 -fmean(per_seed(trials[name]["scores"]))))
        for name in order:
            values = per_seed(trials[name]["scores"])
            own = {key: value for key, value in trials[name]["settings"].items() if START.get(key) != value}
            scores = trials[name]["scores"]
            by_shots = " ".join(f"{100 * fmean(scores[str(shots)].values()):5.1f}" for shots in SHOTS)
            print(f"  {name:>7}  n={len(values):<2} {100 * fmean(values):5.1f} ({by_shots})"
                  f"  sd {100 * stdev(values):4.1f}  {own}")


def main() -> None:
    """Search the settings of the named methods, print and keep every trial."""
    parser = argparse.ArgumentParser(prog="python benchmarks/tuning.py", description=main.__doc__)
    parser.add_argument("--methods", default="pt,mst,spp,scp")
    parser.add_argument("--rows", type=int, default=100, help="dev rows of each task that are scored")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "tuning.json")
    parser.add_argument("--report", action="store_true", help="only print what the file holds")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    written: dict[str, Any] = json.loads(given.json.read_text()) if given.json.is_file() else {}

    def save() -> None:
        given.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")

    if given.report and not written:
        raise SystemExit(f"There is no search in '{given.json}' to report; run it without --report first.")
    if not given.report:
        backbone = load_backbone(find_backbone("demo"))
        for method in given.methods.split(","):
            search(method, written, given.rows, backbone, save)
        shorten(written, given.rows, backbone, save)
    report(written)


if __name__ == "__main__":
    main()
