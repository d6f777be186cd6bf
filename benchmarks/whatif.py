"""How soon an edit answers: ``python benchmarks/whatif.py [--repeats N]``, on a bundled run and all its dev rows.

Each line is the time that a visitor waits for the core, and its share of the bound that the page is to keep:

    a gate     alpha of one task moved: compose, score its dev rows, compare          1 s
    all tasks  a source muted for all twelve tasks                                    4 s
    a sentence its label probabilities under no prompt, PT, MST, SPP, SCP and an edit 0.3 s
    by generate()  the muted tasks again, the way the Trainer of transformers scores them: a peer, no bound
    … while training  the same while a fleet of sixteen runs trains in the same process, as in a dashboard

Every repeat is an edit of its own, so that nothing comes from the cache of scores. The first of each is left out, and
so is loading the backbone, which is printed apart: it happens once per process.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from compt_core.exchange.bundle import import_bundles  # noqa: E402
from compt_core.runs.record import RunRecord  # noqa: E402
from compt_core.runs.store import Store  # noqa: E402
from compt_core.scoring.score import score_task  # noqa: E402
from compt_core.settings.config import RunConfig, build_experiment  # noqa: E402
from compt_core.training.fleet_run import train_fleet  # noqa: E402
from compt_core.whatif import bench  # noqa: E402
from compt_core.whatif.apply import apply, backbone_of, dev_rows, prompts_of  # noqa: E402

SHOTS = 16


def main() -> None:
    """Print the median seconds of each and what share of its bound that is."""
    parser = argparse.ArgumentParser(prog="python benchmarks/whatif.py", description=main.__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        import_bundles(store)
        runs = {run.method: run for run in reversed(store.runs(store.experiments()[0].id)) if run.shots == SHOTS}
        run = runs["spp"]
        begun = time.perf_counter()
        backbone_of(run)
        print(f"loading the backbone, once: {time.perf_counter() - begun:.2f} s; {torch.get_num_threads()} threads")
        task = run.config["tasks"][0]
        report("a gate", given.repeats, 1.0, lambda i: edit(store, run, f"alpha:{task}={.1 + .01 * i}"))
        report("all tasks", given.repeats, 4.0, lambda i: edit(store, run, f"mute=s{i % 4};alpha={.2 + .01 * i}"))
        report("a sentence", given.repeats, 0.3, lambda i: sentence(store, runs, i))
        report("by generate()", given.repeats, None,
               lambda i: generated(store, run, f"mute=s{i % 4};alpha={.5 + .01 * i}"))
        with training():
            report("a gate while training", given.repeats, 1.0,
                   lambda i: edit(store, run, f"alpha:{task}={.6 + .01 * i}"))
            report("a sentence while training", given.repeats, 0.3, lambda i: sentence(store, runs, 100 + i))


def edit(store: Store, run: RunRecord, text: str) -> None:
    """One edit from its text to its changes, as the page computes it."""
    trained = dict(zip(run.config["tasks"], store.prompts(run.id)["composed"], strict=True))
    dict(apply(run, store.scores(run.id), trained, prompts_of(store, run, text)))


def generated(store: Store, run: RunRecord, text: str) -> None:
    """The same edit, its answers generated."""
    backbone = backbone_of(run)
    for name, prompt in prompts_of(store, run, text).items():
        rows, encoded = dev_rows(run, name, backbone)
        score_task(backbone, run.tasks[name], rows, encoded, {name: torch.from_numpy(prompt)}, scoring="generate",
                   remember=False, prefix="neutral")


def sentence(store: Store, runs: Mapping[str, RunRecord], number: int) -> None:
    """One dev row's label scores under the bench's six prompts."""
    run = runs["spp"]
    name = run.config["tasks"][0]
    backbone = backbone_of(run)
    prompts = {method: store.prompts(one.id)["composed"][0] for method, one in runs.items()}
    prompts |= {"no prompt": prompts["pt"][:0], **prompts_of(store, run, f"beta:{name}=.5")}
    rows, _ = dev_rows(run, name, backbone)
    bench.scores(backbone, RunConfig.model_validate(run.config), run.tasks[name], [rows[number].texts], prompts)


@contextmanager
def training() -> Iterator[None]:
    """A fleet that trains in a thread until the block ends."""
    runs = build_experiment({"seeds": "0-3", "steps": 100_000}, preset="demo").runs()
    ended = threading.Event()
    fleet = threading.Thread(target=train_fleet, args=(
        dict(zip(map(str, range(len(runs))), runs, strict=True)), lambda event: None,
        lambda run: "cancel" if ended.is_set() else "keep"))
    fleet.start()
    time.sleep(5)  # the plan is made, steps are under way
    yield
    ended.set()
    fleet.join()


def report(name: str, repeats: int, bound: float | None, work: Callable[[int], object]) -> None:
    """Time `work` for each repeat but a first one."""
    seconds = []
    for i in range(repeats + 1):
        begun = time.perf_counter()
        work(i)
        seconds.append(time.perf_counter() - begun)
    median, worst = statistics.median(seconds[1:]), max(seconds[1:])
    share = "" if bound is None else f": {median / bound:.0%} of {bound:g} s"
    print(f"{name}: {median:.3f} s (slowest {worst:.3f}){share}")


if __name__ == "__main__":
    main()
