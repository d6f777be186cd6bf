"""What a GPU changes: scores, exactness of fleets, and the memory of passes.

    python benchmarks/gpu.py [--only methods,precision,exact,memory] [--device cuda] [--seeds 5]

methods    the preset demo trained on the CPU in float32 and on the GPU in bfloat16 and float32: dev accuracy,
           mean over seeds with half of the 95% t-interval, and the difference from the CPU, paired by seed.
precision  dev rows under the bundled trained prompts: how far label scores lie from those of the CPU in float32,
           and how many predictions are the same.
exact      a run in a fleet against the run alone: gradients of the first step, prompts and losses of later ones;
           and the same fleet twice, bit by bit.
memory     what a token takes by the size of a pass; passes that do not fit the memory on purpose.
Speed is measured by speed.py, limit.py and estimates.py with --device cuda. Where there is no GPU, what can be
measured on the CPU is, and the rest is said to be left out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import setting as s
import torch

from compt_core.backbone.load import Backbone
from compt_core.backbone.passes import new_room
from compt_core.exchange.bundle import import_bundles
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.scoring.predictions import predict
from compt_core.scoring.score import score_task
from compt_core.scoring.statistics import half_width
from compt_core.settings.config import RunConfig
from compt_core.tasks.fewshot import sample_dev
from compt_core.training.loop import train
from compt_core.training.passes import forward_backward, task_losses
from compt_core.training.plan import encode_with

METHODS = ("pt", "mst", "spp", "scp")


def places(given: Any) -> list[tuple[str, Backbone]]:
    """The backbone where it is to be compared, by name: the CPU first."""
    made = [("cpu float32", s.backbone_of(given.backbone, "cpu"))]
    if given.device.startswith("cuda"):
        made.append((f"{given.device} bfloat16", s.backbone_of(given.backbone, given.device)))
        made.append((f"{given.device} float32", cast(given, torch.float32)))
    return made


def cast(given: Any, dtype: torch.dtype) -> Backbone:
    """The backbone on the device, its weights as `dtype`; those of float32 are not rounded to bfloat16 before."""
    backbone = s.backbone_of(given.backbone, given.device)
    backbone.model.to(dtype).load_state_dict(s.backbone_of(given.backbone, "cpu").model.state_dict())
    return backbone


def methods(given: Any) -> None:
    """Trains the preset demo in each place."""
    found: dict[str, dict[str, list[float]]] = {}
    configs = {f"{m} {seed}": s.default_run(m, 16, seed) for seed in range(given.seeds) for m in METHODS}
    for place, backbone in places(given):
        begun = time.perf_counter()
        records = s.measure_runs(configs, backbone=backbone)
        found[place] = {m: [100 * records[f"{m} {seed}"]["mean"] for seed in range(given.seeds)] for m in METHODS}
        first = next(iter(records.values()))
        print(f"{place:15} {len(configs)} runs in {time.perf_counter() - begun:.1f} s: training "
              f"{first['train_seconds']:.1f} s, scoring {first['eval_seconds']:.1f} s; parts of at most "
              + ", ".join(f"{room.tokens:,} tokens ({kind})" for kind, room in backbone.rooms.items()))
        cpu = found["cpu float32"]
        for method, means in found[place].items():
            line = f"  {method:4} {spread(means)}"
            if place != "cpu float32":
                differences = [mean - other for mean, other in zip(means, cpu[method], strict=True)]
                line += f", from the CPU's {spread(differences, '+.1f')}"
            print(line, flush=True)


def spread(values: Sequence[float], form: str = ".1f") -> str:
    """Mean ± half of the 95% t-interval."""
    half = half_width(values)
    return f"{statistics.fmean(values):{form}}" + (f" ± {half:.1f}" if half is not None else "")


def precision(given: Any) -> None:
    """Scores the dev rows under bundled prompts in each place."""
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        import_bundles(store)
        for experiment in store.experiments():
            runs = [run for run in store.runs(experiment.id, limit=1_000) if run.seed < given.prompts]
            prompts = {run.id: torch.from_numpy(store.prompts(run.id)["composed"]) for run in runs}
            first: dict[str, np.ndarray] = {}
            for place, backbone in places(given):
                scores, answers, means = label_scores(backbone, runs, prompts)
                if not first:
                    first, right, base = scores, answers, means
                    print(f"{experiment.id}: {len(runs)} prompts per task, {len(scores)} tasks")
                    continue
                far = np.concatenate([np.abs(scores[t] - first[t]).ravel() for t in scores])
                same = np.concatenate([(answers[t] == right[t]).ravel() for t in scores])
                shift = [100 * (a - b) for a, b in zip(means, base, strict=True)]
                print(f"  {place:15} label scores differ by {np.median(far):.2g} (median), {np.quantile(far, .99):.2g} "
                      f"(99%), {far.max():.2g} (most); {100 * same.mean():.3f}% of {same.size:,} predictions are the "
                      f"same; mean score {statistics.fmean(shift):+.3f} points, a prompt {min(shift):+.2f} to "
                      f"{max(shift):+.2f}", flush=True)
        store.close()


def label_scores(backbone: Backbone, runs: Sequence[RunRecord], prompts: Mapping[str, torch.Tensor]
                 ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[float]]:
    """(label scores [runs, n, C] and predictions [runs, n] of each task; each run's mean of first metrics)."""
    config = RunConfig(**runs[0].config)
    scores, answers, metrics = {}, {}, []
    for k, data in enumerate(s.rows_of(config.tasks, config.data_dir)):
        rows = sample_dev(data, config.eval_rows)
        scored = score_task(backbone, data.task, rows, encode_with(backbone.tokenizer, config, data.task, rows),
                            {run.id: prompts[run.id][k].to(backbone.device) for run in runs}, prefix="neutral")
        scores[data.task.name] = np.stack([scored[run.id].scores for run in runs])
        answers[data.task.name] = np.stack([predict(data.task, scored[run.id].scores) for run in runs])
        metrics.append([scored[run.id].metrics[data.task.metrics[0]] or 0.0 for run in runs])
    return scores, answers, np.mean(metrics, axis=0).tolist()


def exact(given: Any) -> None:
    """Fleet against solo, and a fleet against itself, in each number format."""
    tasks = s.tasks_of(given, 8)
    for dtype in (torch.float64, torch.float32, *([torch.bfloat16] if given.device.startswith("cuda") else [])):
        backbone = cast(given, dtype)
        setting = s.make_setting(backbone, METHODS, 2, tasks=tasks, shots=16, steps=given.steps, batch=4 * len(tasks))
        runs = list(setting.configs)
        together, again = gradients(setting, runs), gradients(setting, runs)
        apart = max(distance(together[run], gradients(setting, [run])[run]) for run in runs)
        line = f"{str(dtype).removeprefix('torch.'):9} first step's gradients, fleet from solo: {apart:.1e}"
        line += f", the same fleet again: {max(distance(together[run], again[run]) for run in runs):.1e}"
        (moved, loss), (repeated, _) = steps(setting, runs), steps(setting, runs)
        solo = {run: steps(setting, [run]) for run in runs}
        line += f"; after {given.steps} steps, prompts {max(distance(moved[r], solo[r][0][r]) for r in runs):.1e}"
        line += f" and losses {max(far(loss[r], solo[r][1][r]) for r in runs):.1e} from solo"
        line += f", {max(distance(moved[r], repeated[r]) for r in runs):.1e} from the same fleet again"
        print(line, flush=True)


def gradients(setting: s.Setting, runs: Sequence[str]) -> dict[str, torch.Tensor]:
    """Run -> its first step's gradients, as one vector."""
    fleet = setting.fleet(runs)
    items = [(run, example) for run in runs for example in setting.plans[run].batch(0)]
    forward_backward(fleet, items, dict.fromkeys(runs, 0), {run: setting.plans[run] for run in runs})
    return {run: flat({name: p.grad for name, p in fleet.slot[run][0].parameters.items()}, fleet.slot[run][1])
            for run in runs}


def flat(tensors: Mapping[str, Any], r: int) -> torch.Tensor:
    """Run r's slices of tensors [R, …] as one vector."""
    return torch.cat([tensor[r].flatten() for tensor in tensors.values()])


def steps(setting: s.Setting, runs: Sequence[str]) -> tuple[dict[str, torch.Tensor], dict[str, list[float]]]:
    """(run -> its trained numbers as one vector, run -> its losses)."""
    fleet, losses = setting.fleet(runs), dict[str, list[float]]()
    train(fleet, {run: setting.plans[run] for run in runs},
          lambda event: losses.setdefault(event.run, []).append(event.values[0]) if event.kind == "loss" else None,
          lambda run: "keep", lambda run, state, error: None)
    return {run: flat({n: t[None] for n, t in fleet.state(run).items()}, 0) for run in runs}, losses


def distance(one: torch.Tensor, two: torch.Tensor) -> float:
    """How far apart, over the length of the second."""
    return ((one - two).norm() / two.norm()).item()


def far(one: Sequence[float], two: Sequence[float]) -> float:
    """The largest relative difference of two rows of losses."""
    return max(abs(a - b) / abs(b) for a, b in zip(one, two, strict=True))


def memory(given: Any) -> None:
    """Bytes of a token by size of pass, then passes that run out of memory, with and without training."""
    if not given.device.startswith("cuda"):
        print("memory: no GPU here, so its passes are not sized by its memory; left out")
        return
    backbone = s.backbone_of(given.backbone, given.device)
    setting = s.make_setting(backbone, METHODS, 8, tasks=s.tasks_of(given, 8), shots=32, steps=9, batch=64)
    items, fleet = setting.items(0), setting.fleet()
    works: dict[str, Callable[[int], Any]] = {
        "train": lambda n: forward_backward(fleet, items[:n], dict.fromkeys(setting.plans, 0), setting.plans),
        "score": lambda n: task_losses(fleet, items[:n]),
    }
    for kind, work in works.items():
        work(8)  # loads kernels and their workspaces
        for rows in (8, 32, 128, 512, 2048):
            backbone.rooms[kind] = replaced(backbone, kind)
            taken = peak_of(backbone, lambda work=work, rows=rows: work(rows))  # type: ignore[misc]
            tokens = sum(e.row.length(fleet.address[run, e.task][1]) for run, e in items[:rows])
            print(f"{kind}: {rows:5} rows, {tokens:7,} tokens: {taken / 1e6:8.1f} MB, {taken / tokens / 1e3:6.1f} kB a "
                  f"token; a part would then have {backbone.rooms[kind].tokens:,} tokens", flush=True)
    room = backbone.rooms["train"]
    room.tokens, room.open = 2**30, False  # as if all would fit
    whole, base = gradients_of(setting, backbone), torch.cuda.memory_allocated(backbone.device)
    needed = peak_of(backbone, lambda: gradients_of(setting, backbone))
    room.tokens = 2_048
    least = peak_of(backbone, lambda: gradients_of(setting, backbone))  # mostly the fleet's own, which is never halved
    for share in (0.6, 0.3):
        room.tokens = 2**30
        with limited(base + least + int(share * (needed - least))):
            halved = gradients_of(setting, backbone)
        off = max(distance(a, b) for a, b in zip(halved, whole, strict=True))
        print(f"one pass takes {needed / 1e6:,.0f} MB, with {share:.0%} of what it takes beyond {least / 1e6:,.0f} MB: "
              f"parts of {room.tokens:,} tokens, gradients {off:.1e} from those of one pass", flush=True)


def replaced(backbone: Backbone, kind: str) -> Any:
    """A new room as before the first pass, which measures whatever comes."""
    return new_room(backbone.device, backbone.hidden, backbone.rooms[kind].lock)


def peak_of(backbone: Backbone, work: Callable[[], Any]) -> int:
    """Bytes that `work` takes at most, beside what was held before."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(backbone.device)
    torch.cuda.reset_peak_memory_stats(backbone.device)
    work()
    return torch.cuda.max_memory_allocated(backbone.device) - before


def gradients_of(setting: s.Setting, backbone: Backbone) -> list[torch.Tensor]:
    """The first step's gradients of every block of the whole fleet."""
    fleet = setting.fleet()
    forward_backward(fleet, setting.items(0), dict.fromkeys(setting.plans, 0), setting.plans)
    return [p.grad for block in fleet.blocks for p in block.parameters.values() if p.grad is not None]


@contextmanager
def limited(size: int) -> Iterator[None]:
    """Within the block this process gets no more than `size` bytes of the GPU."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(size / torch.cuda.mem_get_info()[1])
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


PARTS = {"methods": methods, "precision": precision, "exact": exact, "memory": memory}


def main() -> None:
    """Measure and print."""
    parser = s.parser(__file__, __doc__ or "")
    parser.add_argument("--only", default=",".join(PARTS), help="which parts, by name")
    parser.add_argument("--seeds", type=int, default=5, help="of each method, for methods")
    parser.add_argument("--prompts", type=int, default=2, help="bundled seeds of each method and shots, for precision")
    parser.add_argument("--steps", type=int, default=20, help="for exact")
    given = parser.parse_args()
    given.device = str(s.start(given).device)
    if not given.device.startswith("cuda"):
        print("no GPU here: only the CPU is measured")
    for name in given.only.split(","):
        print(f"\n{name}")
        PARTS[name](given)


if __name__ == "__main__":
    main()
