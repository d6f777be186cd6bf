"""What the benchmarks share: a backbone, the runs of one fleet with their plans, and clocks."""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
for _folder in (ROOT, ROOT / "benchmarks"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import torch  # noqa: E402
import transformers  # noqa: E402
from make_backbone import SIZES, make_backbone  # noqa: E402

from compt_core.backbone.load import DEMO, Backbone, find_backbone, load_backbone  # noqa: E402
from compt_core.settings.config import RunConfig, build_experiment  # noqa: E402
from compt_core.tasks.files import load_task  # noqa: E402
from compt_core.tasks.spec import TaskData  # noqa: E402
from compt_core.tasks.table import CATALOGUE  # noqa: E402
from compt_core.training.fleet import Fleet, build_fleet  # noqa: E402
from compt_core.training.fleet_run import Load, train_fleet  # noqa: E402
from compt_core.training.loop import train  # noqa: E402
from compt_core.training.passes import Item, forward_backward  # noqa: E402
from compt_core.training.plan import RunPlan, plan_run  # noqa: E402

T5_VOCABULARY: Final = 32_128  # so that the head of a made-up backbone costs what T5's does


@dataclass
class Setting:
    """Runs of one fleet: their configurations and plans by name, the data of the first, and the backbone."""

    backbone: Backbone
    configs: dict[str, RunConfig]
    plans: dict[str, RunPlan]
    data: Sequence[TaskData]

    def fleet(self, runs: Sequence[str] | None = None) -> Fleet:
        """A new fleet of the named runs, or of all."""
        return build_fleet({run: self.configs[run] for run in runs or self.configs}, self.backbone)

    def items(self, step: int) -> list[Item]:
        """The rows of one step of all runs."""
        return [(run, example) for run, plan in self.plans.items() for example in plan.batch(step)]


def make_setting(backbone: Backbone, methods: Sequence[str], seeds: int, **settings: Any) -> Setting:
    """Runs of `methods` x `seeds` seeds that share the other settings of a run."""
    configs = {f"{method} {seed}": RunConfig(method=method, seed=seed, **settings)
               for seed in range(seeds) for method in methods}
    data = rows_of(settings["tasks"], settings.get("data_dir"))
    return Setting(backbone, configs, {run: plan_run(c, data, backbone.tokenizer) for run, c in configs.items()}, data)


def rows_of(tasks: Sequence[str], data_dir: str | None) -> list[TaskData]:
    """The rows of the tasks, their overlap too: speed does not ask, and a made-up backbone has no files."""
    return [load_task(task, data_dir) for task in CATALOGUE.named(tasks)]


def backbone_of(name: str, device: str | None = None) -> Backbone:
    """"demo", a folder, or a T5 of random weights in the shape of t5-"small" or t5-"base" around the demo's words."""
    if name not in SIZES:
        return load_backbone(find_backbone(name), device)
    with tempfile.TemporaryDirectory() as folder:
        files = make_backbone(DEMO, Path(folder) / name, vocabulary=T5_VOCABULARY, **SIZES[name])
        return load_backbone(files, device)


def train_steps(setting: Setting, runs: Sequence[str]) -> float:
    """Seconds to train the named runs side by side, model loading and set-up of the data left out."""
    fleet = setting.fleet(runs)
    begun = time.perf_counter()
    train(fleet, {run: setting.plans[run] for run in runs}, lambda event: None, lambda run: "keep",
          lambda run, state, error: None)
    wait(setting.backbone)
    return time.perf_counter() - begun


def step_seconds(setting: Setting, repeats: int) -> float:
    """Median seconds of one forward and backward pass of the whole fleet; the first, which warms up, left out."""
    fleet, times = setting.fleet(), []
    for step in range(repeats + 1):
        items = setting.items(step)
        times.append(seconds(lambda items=items, step=step: forward_backward(  # type: ignore[misc]
            fleet, items, dict.fromkeys(setting.plans, step), setting.plans), setting.backbone))
    return statistics.median(times[1:])


def seconds(work: Callable[[], Any], backbone: Backbone) -> float:
    """Seconds that `work` takes, its kernels on a GPU included."""
    wait(backbone)
    begun = time.perf_counter()
    work()
    wait(backbone)
    return time.perf_counter() - begun


def wait(backbone: Backbone) -> None:
    """Until a GPU has done what it was asked."""
    if backbone.device.type == "cuda":
        torch.cuda.synchronize(backbone.device)


def parser(file: str, doc: str) -> argparse.ArgumentParser:
    """The options that every benchmark takes."""
    made = argparse.ArgumentParser(prog=f"python benchmarks/{Path(file).name}", description=doc.splitlines()[0])
    made.add_argument("--backbone", default="demo", help="demo, a folder, or small or base: a random T5 of that shape")
    made.add_argument("--data-dir", help="folder of task files; its GLUE tasks instead of the demo's")
    made.add_argument("--threads", type=int, default=0, help="torch threads; 0 = torch's choice")
    made.add_argument("--device", help="cpu or cuda; the default is the best there is")
    made.add_argument("--repeats", type=int, default=3)
    return made


def start(given: argparse.Namespace) -> Backbone:
    """Set the threads, load the backbone, and print what the figures stand on."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if given.threads:
        torch.set_num_threads(given.threads)
    backbone = backbone_of(given.backbone, given.device)
    place = torch.cuda.get_device_name(backbone.device) if backbone.device.type == "cuda" else \
        f"{platform.machine()}, {torch.get_num_threads()} threads"
    print(f"backbone {given.backbone} ({str(backbone.model.dtype).removeprefix('torch.')}) on {place}; "
          f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}")
    return backbone


def tasks_of(given: argparse.Namespace, count: int) -> tuple[str, ...]:
    """The first `count` tasks of the demo suites, or GLUE's with --data-dir."""
    from compt_core.settings.presets import DEMO_GLUE_TASKS, DEMO_TASKS, GLUE_TASKS

    known = GLUE_TASKS if given.data_dir else (*DEMO_TASKS, *DEMO_GLUE_TASKS)
    return tuple(known[:count])


def default_run(method: str, shots: int, seed: int, **changes: Any) -> RunConfig:
    """A run as the preset `demo` has it for a method, with changes."""
    run = build_experiment({"methods": [method], "shots": [shots], "seeds": [seed]}, preset="demo").runs()[0]
    return RunConfig(**{**run.model_dump(), **changes})


def measure_runs(runs: Mapping[str, RunConfig], load: Load | None = None, *, backbone: Backbone | None = None
                 ) -> dict[str, dict[str, Any]]:
    """Train the runs side by side; each one's record. Ends the script where a run did not complete."""
    outcomes = train_fleet(runs, lambda event: None, lambda run: "keep", load=load, backbone=backbone)
    for run, outcome in outcomes.items():
        if outcome.result is None:
            raise SystemExit(f"{run} {outcome.state}: {outcome.error}")
    return {run: outcome.result for run, outcome in outcomes.items() if outcome.result is not None}
