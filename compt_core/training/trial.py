"""How fast a fleet would train here: one training step and one scoring pass of its shape, timed and thrown away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from compt_core.backbone.load import Backbone
from compt_core.backbone.memory import peak, watch
from compt_core.errors import ComptError
from compt_core.methods.table import structure, trainable_parameters
from compt_core.planning.data import load_data
from compt_core.planning.estimate import STATE_BYTES, Pace, fleet_work, place, run_work
from compt_core.scoring.score import score_task
from compt_core.settings.config import RunConfig
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.fewshot import sample_dev
from compt_core.tasks.spec import TaskData
from compt_core.training.fleet import Fleet, build_fleet
from compt_core.training.fleet_run import shared_backbone
from compt_core.training.loop import Ended, train
from compt_core.training.plan import RunPlan, encode_with, mean_tokens, plan_run

LONG = 30.0  # seconds; what took longer the first time, which includes what happens only once, is not timed again
ENOUGH = 2.0  # seconds of timing again
MOST = 10  # times; the quickest counts, as an estimate is for an idle machine
SCORED = 4  # dev rows of each task, under the prompts of all runs

Tell = Callable[[str], None]


def measure(configs: Sequence[RunConfig], tasks: Catalogue, stopped: Callable[[], bool] = lambda: False,
            tell: Tell = lambda doing: None, backbone: Backbone | None = None) -> Pace | None:
    """The pace of a fleet of runs with these settings, of one backbone; None if `stopped`, asked before each step and
    pass, said so.

    tell gets what is being done, in words. Raises ComptError where the backbone or the data cannot be used, a run
    cannot take its first step, or there are several GPUs, over which a fleet would be spread.
    """
    if torch.cuda.device_count() > 1:
        raise ComptError("With several GPUs a fleet is spread over all of them, so a single step says nothing.")
    tell("loading the backbone and the data")
    backbone = backbone or shared_backbone(configs[0].backbone)
    watch(backbone.device)
    data = load_data(configs[0].tasks, configs[0].data_dir, backbone.files, tasks)
    plans = {str(i): plan_run(config, data, backbone.tokenizer) for i, config in enumerate(configs)}
    fleet = build_fleet({run: plan.config for run, plan in plans.items()}, backbone)
    tell("timing a training step")
    seconds = _trained(fleet, plans, stopped)
    if stopped():
        return None
    tell("timing a scoring pass")
    scored, scoring = _scored(fleet, plans, data, stopped)
    if stopped():
        return None
    numbers = {run: trainable_parameters(plan.config, backbone.hidden) for run, plan in plans.items()}
    work = fleet_work(run_work(1, plan.config.batch, mean_tokens(plan, structure(plan.config).length), numbers[run],
                               scored / len(plans)) for run, plan in plans.items())
    about, taken = backbone.describe(), peak(backbone.device)
    memory = None if taken is None else max(0, taken - STATE_BYTES * sum(numbers.values()))
    where = place(about["device"], torch.get_num_threads(), about["hash"])
    return Pace(where, work, seconds, scoring, memory, time.time())


def _quickest(take: Callable[[], float], stopped: Callable[[], bool]) -> float:
    """The fewest seconds that `take` says it took, out of several times unless it takes long."""
    taken = [take()]
    while not stopped() and taken[0] < LONG and len(taken) < MOST and sum(taken[1:]) < ENOUGH:
        taken.append(take())
    return min(taken)


def _trained(fleet: Fleet, plans: dict[str, RunPlan], stopped: Callable[[], bool]) -> float:
    """Seconds of one training step."""
    errors: list[ComptError | None] = []
    short = {run: replace(plan, steps=1, held_out=()) for run, plan in plans.items()}

    def ended(run: str, state: Ended, error: ComptError | None) -> None:
        errors.append(error)

    def take() -> float:
        seconds = train(fleet, short, lambda event: None, lambda run: "cancel" if stopped() else "keep", ended)
        for error in filter(None, errors):
            raise error
        return seconds

    return _quickest(take, stopped)


def _scored(fleet: Fleet, plans: dict[str, RunPlan], data: Sequence[TaskData], stopped: Callable[[], bool]
            ) -> tuple[int, float]:
    """(tokens scored, seconds) of a pass over a few dev rows of each task under the prompts of all runs."""
    config = next(iter(plans.values())).config
    tokens = 0
    with torch.inference_mode():
        vectors = fleet.vectors()

    def take() -> float:
        nonlocal tokens
        begun, tokens = time.perf_counter(), 0
        for k, of_task in enumerate(data):
            rows = sample_dev(of_task, config.eval_rows)[:SCORED]
            encoded = encode_with(fleet.backbone.tokenizer, config, of_task.task, rows)
            spans = {run: fleet.address[run, k] for run in plans}
            found = score_task(fleet.backbone, of_task.task, rows, encoded,
                               {run: vectors[at:at + length] for run, (at, length) in spans.items()},
                               prefix=config.prefix, scoring=config.scoring, similarity=config.similarity,
                               going=lambda run: not stopped(), remember=False)
            tokens += sum(one.tokens for one in found.values())
        return time.perf_counter() - begun

    seconds = _quickest(take, stopped)
    return tokens, seconds
