"""How time and memory of a step grow: with runs, tasks, tokens and the backbone's size.

    python benchmarks/growth.py [--device cuda] [--what runs,tasks,tokens,size,memory]

Each line is the median of a few forward and backward passes in this process; memory is the peak of a process of
its own for each number of runs.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import setting as s
import torch

from compt_core.tasks.batches import EncodedRow
from compt_core.training.plan import Example

METHODS = ("pt", "mst", "spp", "scp")


def by_runs(backbone: Any, given: Any) -> None:
    """SPP with 1 to 64 seeds on eight tasks."""
    print("runs   ms a step   ms a run")
    for runs in (1, 2, 4, 8, 16, 32, 64):
        setting = make(backbone, given, ("spp",), runs, 8)
        taken = s.step_seconds(setting, given.repeats)
        print(f"{runs:4}   {1e3 * taken:9.1f}   {1e3 * taken / runs:8.2f}", flush=True)


def by_tasks(backbone: Any, given: Any) -> None:
    """All four methods on 2 to 20 tasks, four rows each."""
    print("tasks   ms a step   ms a task")
    for tasks in (2, 4, 8, 16, 20):
        taken = s.step_seconds(make(backbone, given, METHODS, 1, tasks), given.repeats)
        print(f"{tasks:5}   {1e3 * taken:9.1f}   {1e3 * taken / tasks:9.2f}", flush=True)


def by_tokens(backbone: Any, given: Any) -> None:
    """PT on eight tasks, rows of 16 to 512 tokens of made-up text."""
    print("tokens   ms a step   µs a token")
    setting = make(backbone, given, ("pt",), 1, 8)
    plan = setting.plans["pt 0"]
    for tokens in (16, 32, 64, 128, 256, 512):
        text = tuple(3 + i % 50 for i in range(tokens - setting.configs["pt 0"].prompt_length))
        long = tuple(tuple(Example(e.task, EncodedRow((), text, False), e.target) for e in task) for task in plan.train)
        setting.plans["pt 0"] = replace(plan, train=long)
        taken = s.step_seconds(setting, given.repeats)
        print(f"{tokens:6}   {1e3 * taken:9.1f}   {1e6 * taken / (tokens * len(setting.items(0))):10.1f}", flush=True)


def by_size(given: Any) -> None:
    """PT, MST, SPP and SCP on eight tasks: the demo's backbone and random ones of larger shapes."""
    print("backbone   ms a step   tokens/s")
    for name in ("demo", "small", "base"):
        setting = make(s.backbone_of(name, given.device), given, METHODS, 1, 8)
        taken = s.step_seconds(setting, given.repeats)
        tokens = sum(e.row.length(setting.configs[run].prompt_length) for run, e in setting.items(0))
        print(f"{name:8}   {1e3 * taken:9.0f}   {tokens / taken:8.0f}", flush=True)


def by_memory(given: Any) -> None:
    """Peak memory of a process that trains SPP with 1 to 64 seeds; the slope by least squares."""
    import numpy as np

    print("runs   peak MB")
    counts, peaks = (1, 8, 16, 32, 64), []
    for runs in counts:
        command = [sys.executable, __file__, "--backbone", given.backbone, "--peak", str(runs)]
        command += ["--device", given.device] if given.device else []
        said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        peaks.append(float(said.split()[-1]))
        print(f"{runs:4}   {peaks[-1]:7.0f}", flush=True)
    slope, _ = np.polyfit(counts, peaks, 1)
    print(f"{slope:.2f} MB a run; correlation of runs and memory {np.corrcoef(counts, peaks)[0, 1]:.4f}")


def peak(backbone: Any, given: Any) -> None:
    """Print the peak memory in MB of a few steps, the process's or the GPU's."""
    setting, forget = make(backbone, given, ("spp",), given.peak, 8), Path("/proc/self/clear_refs")
    if forget.exists():  # Linux: the peak of reading data and building the demo's rows is none of a step
        forget.write_text("5")
    s.step_seconds(setting, 2)
    if backbone.device.type == "cuda":
        print(torch.cuda.max_memory_allocated() / 1e6)
    elif forget.exists():
        status = Path("/proc/self/status").read_text().splitlines()
        print(next(int(line.split()[1]) / 1e3 for line in status if line.startswith("VmHWM")))
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def make(backbone: Any, given: Any, methods: tuple[str, ...], seeds: int, tasks: int) -> s.Setting:
    """Four rows of each task a step."""
    names = s.tasks_of(given, tasks)
    return s.make_setting(backbone, methods, seeds, tasks=names, shots=16, steps=given.repeats + 2, sources=2,
                          batch=4 * len(names), data_dir=given.data_dir)


def main() -> None:
    """Measure and print."""
    parser = s.parser(__file__, __doc__ or "")
    parser.add_argument("--what", default="runs,tasks,tokens,size,memory")
    parser.add_argument("--peak", type=int, help="only print the peak memory for this many runs")
    given = parser.parse_args()
    backbone = s.start(given)
    if given.peak:
        return peak(backbone, given)
    for name, measure in (("runs", by_runs), ("tasks", by_tasks), ("tokens", by_tokens)):
        if name in given.what.split(","):
            print(f"\n{measure.__doc__}")
            measure(backbone, given)
    for name, alone in (("size", by_size), ("memory", by_memory)):
        if name in given.what.split(","):
            print(f"\n{alone.__doc__}")
            alone(given)
    return None


if __name__ == "__main__":
    main()
