"""The training loop of a fleet: stop? → keep → forward and backward → clip → rate and step → report.

One step serves all runs that are still going: their rows go through the frozen backbone together, each with its own
composed prompt. A run that ends, fails, pauses or is cancelled leaves; the others continue unchanged.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from compt_core.errors import ComptError
from compt_core.training import first_step
from compt_core.training.best import Best
from compt_core.training.checkpoint import put, take
from compt_core.training.events import Ask, Checkpoint, Event, Keeper, OnEvent
from compt_core.training.fleet import Fleet
from compt_core.training.optim import AdamW, clip, factors
from compt_core.training.passes import Item, Losses, forward_backward
from compt_core.training.phases import held_sources, hold
from compt_core.training.plan import RunPlan
from compt_core.training.watch import Watch, due

POINTS = 100  # attention and gate snapshots per run, not counting the initial one

Ended = Literal["completed", "failed", "cancelled", "paused"]


class TrainingError(ComptError):
    """A run cannot continue, for example because its loss is not finite."""


def train(
    fleet: Fleet, plans: Mapping[str, RunPlan], on_event: OnEvent, control: Ask,
    on_end: Callable[[str, Ended, ComptError | None], None], *,
    resume: Mapping[str, Checkpoint] = MappingProxyType({}), keeper: Keeper | None = None, watch: Watch | None = None,
    phase_watch: Watch | None = None,
) -> float:
    """Train every run of `plans` to its last step, in place; runs in `resume` continue from their checkpoint.

    Returns the seconds that the fleet has trained, including those before its checkpoint.

    control(run) is asked before each step; on_end(run, state, error) is called when a run leaves the fleet with its
    final parameters. `keeper` gets all runs' checkpoints when it says so and at the end of training, and the checkpoint
    of a run that pauses. Raises nothing of its own: a run whose loss is not finite ends as failed. `watch` gets the
    runs that are due for a look, with the steps they have done, and `phase_watch` those whose first phase begins or
    whose next one does.
    """
    optimizers = {id(block): AdamW(block) for block in fleet.blocks}
    best = {run: Best(fleet, run, plan) for run, plan in plans.items() if plan.held_out}
    at = dict.fromkeys(plans, 0)  # run -> steps done
    for run, checkpoint in resume.items():
        put(fleet, optimizers, best.get(run), run, checkpoint)
        at[run] = checkpoint.step

    begun = time.perf_counter() - max((checkpoint.seconds for checkpoint in resume.values()), default=0.0)

    def keep(runs: Iterable[str]) -> None:
        seconds = time.perf_counter() - begun
        taken = {run: take(fleet, optimizers, best.get(run), run, at[run], seconds) for run in runs}
        if keeper is not None and taken:
            keeper.keep(taken)

    going, trained = list(plans), []
    new = {run: 0 for run in going if run not in resume}
    for run in new:
        _report_weights(fleet, run, 0, on_event)
    for look in filter(None, (watch, phase_watch) if new else ()):
        look(new)
    while going:
        _let_go(going, control, at, plans, keep, on_end)
        for run in [run for run in going if at[run] == plans[run].steps]:
            going.remove(run)
            trained.append(run)
            on_end(run, "completed", None)
        if not going:
            break
        if keeper is not None and keeper.due(going[0]):
            keep([*going, *trained])
        _step(fleet, optimizers, plans, going, at, on_event, on_end)
        for run in going:
            if run in best:
                best[run].after(at[run])
        looks = {run: at[run] for run in going if due(at[run], plans[run].steps)}
        if watch is not None and looks:
            watch(looks)
        if phase_watch is not None and (over := {run: at[run] for run in going if at[run] in plans[run].ends[:-1]}):
            phase_watch(over)
    if any(run not in resume or at[run] > resume[run].step for run in trained):
        keep(trained)  # scoring takes time as well
    return time.perf_counter() - begun


def _let_go(
    going: list[str], control: Ask, at: Mapping[str, int], plans: Mapping[str, RunPlan],
    keep: Callable[[Iterable[str]], None], on_end: Callable[[str, Ended, ComptError | None], None],
) -> None:
    """Lets runs leave that should pause or were cancelled; checkpoints of those that pause are kept, all together."""
    asked = {run: control(run) for run in going if at[run] < plans[run].steps}
    keep([run for run, answer in asked.items() if answer == "pause"])
    for run, answer in asked.items():
        if answer != "keep":
            going.remove(run)
            on_end(run, "cancelled" if answer == "cancel" else "paused", None)


def _step(
    fleet: Fleet, optimizers: Mapping[int, AdamW], plans: Mapping[str, RunPlan], going: list[str], at: dict[str, int],
    on_event: OnEvent, on_end: Callable[[str, Ended, ComptError | None], None],
) -> None:
    """One optimizer step of every run in `going`; a run whose loss is not finite takes none, fails and leaves."""
    items: list[Item] = [(run, example) for run in going for example in plans[run].batch(at[run])]
    losses = forward_backward(fleet, items, at, plans)
    held = {run: held_sources(fleet, run, plans[run], at[run]) for run in going}
    hold(fleet, held)
    norms = [clip(block) for block in fleet.blocks]
    for run, problem in _stuck(fleet, norms, losses, plans, {run: at[run] for run in going}).items():
        going.remove(run)
        on_end(run, "failed", TrainingError(problem))
    for block in fleet.blocks:
        optimizers[id(block)].step([
            factors(plans[run], at[run], held[run]) if run in going else None for run in block.runs])
    for run in going:
        at[run] += 1
        _report(fleet, plans[run], run, at[run], losses, on_event)


def _stuck(
    fleet: Fleet, norms: Sequence[Tensor], losses: Losses, plans: Mapping[str, RunPlan], at: Mapping[str, int]
) -> dict[str, str]:
    """Run -> why it must not take this step, which would spoil its prompts and stop its block, or change nothing."""
    norm = {run: value for block, of in zip(fleet.blocks, norms, strict=True)
            for run, value in zip(block.runs, of.tolist(), strict=True)}
    found: dict[str, str | None] = {}
    for run, step in at.items():
        loss, _ = losses.of(run, len(plans[run].train))
        if step == 0:
            found[run] = first_step.problem(fleet.backbone, run, plans[run], loss, norm[run])
        elif not math.isfinite(loss + norm[run]):
            found[run] = (f"The loss or gradient of run '{run}' is not finite at step {step + 1}. Lower its learning "
                          "rates (source, private, encoder, attention, gate) or its clip, and run it again.")
    return {run: problem for run, problem in found.items() if problem}


def _report(fleet: Fleet, plan: RunPlan, run: str, step: int, losses: Losses, on_event: OnEvent) -> None:
    loss, each = losses.of(run, len(plan.train))
    on_event(Event(run, "loss", step, (loss,)))
    on_event(Event(run, "task_loss", step, each))
    if step % math.ceil(plan.steps / POINTS) == 0 or step == plan.steps:
        _report_weights(fleet, run, step, on_event)


def _report_weights(fleet: Fleet, run: str, step: int, on_event: OnEvent) -> None:
    block, r = fleet.slot[run]
    attention = block.attention()
    if attention is None or not block.method.composed:
        return
    on_event(Event(run, "attention", step, tuple(attention[r].detach().flatten().tolist())))
    gates = torch.stack([g[r] for g in block.gates()])
    on_event(Event(run, "gates", step, tuple(gates.detach().flatten().tolist())))
