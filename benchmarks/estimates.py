"""How far the estimates of time and memory before launch are from what a fleet then takes.

    python benchmarks/estimates.py [--threads N] [--device cuda]

Trains fleets of different shapes on the demo backbone one after another; from the second on, each is estimated
from those before it, as Launch does, and then measured. Loading is left out of both.
"""

from __future__ import annotations

import setting as s

from compt_core.planning.check import check, trainable_parameters
from compt_core.planning.estimate import STATE_BYTES, Pace, estimate, memory, pace_of
from compt_core.settings.config import build_experiment
from compt_core.training.fleet_run import train_fleet

SHAPES = (
    ("four methods, 12 tasks", {"preset": "demo", "steps": 40}),
    ("one PT run, 4 tasks", {"preset": "first-2", "methods": ["pt"], "steps": 150}),
    ("SPP, ten seeds, 8 tasks, few dev rows", {"preset": "demo-glue", "methods": ["spp"], "seeds": list(range(10)),
                                               "steps": 30, "eval_rows": 50}),
    ("four methods, 12 tasks, long prompts", {"preset": "demo", "steps": 30, "prompt_length": 20}),
    ("PT and SCP, two shot counts, 4 tasks", {"preset": "first-2", "methods": ["pt", "scp"], "shots": [8, 32],
                                              "steps": 200, "sources": 2}),
    ("eight runs, 12 tasks", {"preset": "demo", "methods": ["mst", "spp"], "seeds": list(range(4)), "steps": 60}),
)


def main() -> None:
    """Measure and print."""
    given = s.parser(__file__, __doc__ or "").parse_args()
    backbone = s.start(given)
    paces: list[Pace] = []
    print(f"{'fleet':40}  {'estimate':>14}  {'measured':>8}  middle / measured | MB: {'estimate':>8}  {'measured':>8}")
    for name, settings in SHAPES:
        experiment = build_experiment(settings)
        found = estimate(check(experiment).work, paces)
        configs = {str(i): config for i, config in enumerate(experiment.runs())}
        trained = sum(trainable_parameters(config, backbone.hidden) for config in configs.values())
        expected = memory(trained, paces)
        outcomes = train_fleet(configs, lambda event: None, lambda run: "keep", backbone=backbone)
        pace = pace_of(outcomes["0"].result["pace"])  # type: ignore[index]
        paces.append(pace)
        taken = pace.train_seconds + pace.eval_seconds
        told = f"{found.low:.1f}–{found.high:.1f} s" if found else "none yet"
        miss = f"{(found.low + found.high) / 2 / taken:.2f}" if found else ""
        held = "unknown" if pace.memory is None else f"{(pace.memory + STATE_BYTES * trained) / 1e6:.0f}"
        print(f"{name:40}  {told:>14}  {taken:6.1f} s  {miss:>17} |     "
              f"{'none yet' if expected is None else f'{expected / 1e6:.0f}':>8}  {held:>8}", flush=True)


if __name__ == "__main__":
    main()
