"""Configurations in, results out: loads backbone and data, trains a fleet and scores it. No UI, no store."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Literal

import torch

from compt_core.backbone.kept import Shelf
from compt_core.backbone.load import Backbone, find_backbone, load_backbone
from compt_core.backbone.memory import peak, watch
from compt_core.errors import ComptError, plural, quoted
from compt_core.methods.block import Starts
from compt_core.methods.table import structure, trainable_parameters
from compt_core.planning.data import load_data
from compt_core.planning.estimate import STATE_BYTES, Pace, fleet_work, place, run_work
from compt_core.scoring.metrics import mean_normalised, mean_primary
from compt_core.scoring.score import TaskScores, majority, score_task
from compt_core.settings.config import RunConfig
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.fewshot import lacking, sample_dev
from compt_core.tasks.spec import TaskData
from compt_core.tasks.table import CATALOGUE
from compt_core.training.checkpoint import fits
from compt_core.training.events import Ask, Checkpoint, Event, Keeper, Log, OnEvent, Outcome, Started
from compt_core.training.fleet import Fleet, build_fleet
from compt_core.training.inspection import inspect_run, kept_tensors, prompt_rms
from compt_core.training.loop import Ended, train
from compt_core.training.passes import losses_by_run
from compt_core.training.plan import RunPlan, count_cut, encode_with, mean_tokens, plan_run
from compt_core.training.snapshots import snapshots
from compt_core.training.task_losses import LastLosses, fallen
from compt_core.training.versions import continues, versions
from compt_core.training.watch import Watch, watcher

OnOutcome = Callable[[str, Outcome], None]
Load = Callable[[str], tuple[TaskData, ...]]  # run -> its rows
Scores = dict[str, dict[str, TaskScores]]  # run -> task -> scores
_SHELF = Shelf(load_backbone)


def train_fleet(
    configs: Mapping[str, RunConfig], on_event: OnEvent, control: Ask, *,
    on_outcome: OnOutcome | None = None, backbone: Backbone | None = None, load: Load | None = None,
    resume: Mapping[str, Checkpoint] = MappingProxyType({}), keeper: Keeper | None = None,
    tasks: Catalogue = CATALOGUE, starts: Mapping[str, Starts] = MappingProxyType({}),
) -> dict[str, Outcome]:
    """Train the runs `configs` (by id) of one backbone together and score them on their dev rows.

    on_event gets what happens during training, control(run) is asked before each step, and on_outcome gets each run's
    outcome as soon as it is known; all outcomes are also returned. A run that fails by itself is an outcome; problems
    with the backbone or the data raise ComptError for all. load(run) gives a run's rows, for an experiment on changed
    rows; by default they are the rows that its settings name, of tasks as `tasks` defines them. Runs in `resume`
    continue from their checkpoint if it was taken with the same backbone, data and tensors; `keeper` takes new ones.
    Runs in `starts` begin with given prompts, which their setting `init` names.
    """
    backbone = backbone or shared_backbone(next(iter(configs.values())).backbone)
    data = {r: load(r) if load else load_data(c.tasks, c.data_dir, backbone.files, tasks) for r, c in configs.items()}
    watch(backbone.device)
    plans = {run: plan_run(config, data[run], backbone.tokenizer) for run, config in configs.items()}
    fleet, outcomes = build_fleet(configs, backbone, starts), dict[str, Outcome]()

    def leave(run: str, outcome: Outcome) -> None:
        outcomes[run] = outcome
        (on_outcome or (lambda *_: None))(run, outcome)

    resumed = _set_off(fleet, plans, data, resume, on_event, starts)
    first = [(run, example) for run, plan in plans.items() for example in plan.first_rows()]
    rms, before = {run: prompt_rms(fleet, run) for run in plans}, losses_by_run(fleet, first)
    _begin(plans, rms, before, backbone.table_deviation, on_event)
    done, last = list[str](), LastLosses({run: plan.steps for run, plan in plans.items()})

    def ended(run: str, state: Ended, error: ComptError | None) -> None:
        if state == "completed":
            done.append(run)
        else:
            leave(run, Outcome(state, error=error))

    seconds = train(fleet, plans, last.heard(on_event), control, ended, resume=resumed, keeper=keeper,
                    watch=_each(snapshots(fleet, on_event), watcher(fleet, plans, data, on_event)),
                    phase_watch=watcher(fleet, plans, data, on_event, "phase_score"))
    begun = time.perf_counter()
    scores = _score(fleet, {run: plans[run] for run in done}, data, control, on_event, leave)
    times = {"train_seconds": seconds, "eval_seconds": time.perf_counter() - begun}
    measured = len(scores) == len(configs) and not resumed and torch.cuda.device_count() < 2  # all that was launched
    pace = _pace(backbone, plans, scores, times) if measured else None
    after = losses_by_run(fleet, [item for item in first if item[0] in scores])
    for run, by_task in scores.items():
        _after_all_phases(run, plans[run], data[run], by_task, on_event)
        notes = {
            **times, "pace": pace, "table_deviation": backbone.table_deviation,
            "prompt_rms": {"initial": rms[run], "final": prompt_rms(fleet, run)},
            "fixed_batch_loss": {"initial": before[run][0], "final": after[run][0]},
            "task_loss": fallen(plans[run], [d.task for d in data[run]], before[run][1], last.of(run, len(data[run]))),
        }
        try:
            leave(run, _completed(fleet, run, plans[run], data[run], by_task, notes))
        except Exception as error:  # a run that fails by itself must not stop the others in its fleet
            leave(run, Outcome("failed", error=error))
    return outcomes


def _after_all_phases(run: str, plan: RunPlan, data: Sequence[TaskData], scores: Mapping[str, TaskScores],
                      on_event: OnEvent) -> None:
    """Reports the scores after the last phase, which are those of the trained run, if it has phases."""
    if plan.config.phases:
        firsts = [scores[d.task.name].metrics[d.task.metrics[0]] for d in data]
        on_event(Event(run, "phase_score", plan.steps, tuple(math.nan if one is None else one for one in firsts)))


def _each(*watches: Watch) -> Watch:
    def watch(at: Mapping[str, int]) -> None:
        for one in watches:
            one(at)

    return watch


def _begin(plans: Mapping[str, RunPlan], rms: Mapping[str, float], losses: Mapping[str, Any], word: float,
           on_event: OnEvent) -> None:
    """Logs what each run starts with; `rms` and `word` are the sizes of its prompts and of a word's embedding."""
    for run, plan in plans.items():
        on_event(Log(run, 0, f"{plan.config.method}: initial prompt RMS {rms[run]:.3f} (a word's embedding has "
                             f"{word:.3g}), {plural(plan.steps, 'step')}, loss {losses[run][0]:.3f} on its first rows"))


def _notes(plan: RunPlan, data: Sequence[TaskData]) -> list[str]:
    """Notes on the rows of a run, and on the sample that it drew from them."""
    lacks = {d.task.name: ", ".join(map(quoted, lacking(d.task, plan.samples[d.task.name]))) for d in data}
    return [*(note for d in data for note in d.notes),
            *(f"The sample of task '{task}' has no row of {labels}." for task, labels in lacks.items() if labels)]


def _pace(backbone: Backbone, plans: Mapping[str, RunPlan], scores: Scores, times: Mapping[str, float]
          ) -> dict[str, Any]:
    """What the fleet had to do, how long it took and how much memory it needed, for estimates."""
    about = backbone.describe()
    numbers = {run: trainable_parameters(plan.config, backbone.hidden) for run, plan in plans.items()}
    work = fleet_work(run_work(
        plan.steps, plan.config.batch, mean_tokens(plan, structure(plan.config).length), numbers[run],
        sum(s.tokens for s in scores[run].values()),
    ) for run, plan in plans.items())
    taken = peak(backbone.device)
    memory = None if taken is None else max(0, taken - STATE_BYTES * sum(numbers.values()))
    where = place(about["device"], torch.get_num_threads(), about["hash"])
    return asdict(Pace(where, work, times["train_seconds"], times["eval_seconds"], memory))


def _completed(
    fleet: Fleet, run: str, plan: RunPlan, data: Sequence[TaskData],
    scores: Mapping[str, TaskScores], notes: Mapping[str, Any],
) -> Outcome:
    """The outcome of a trained and scored run: its record, tensors and label scores; the record gets `notes`."""
    backbone = fleet.backbone
    record = {
        **summary(data, plan.config, scores), **inspect_run(fleet, run), **notes,
        "cut": {task: {"train": cut, "dev": scores[task].cut} for task, cut in count_cut(plan).items()},
        "skipped": {d.task.name: dict(d.skipped) for d in data},
        "overlap": {d.task.name: {"train": d.overlap} for d in data},
        "samples": plan.samples, "data_notes": _notes(plan, data),
        "trainable_parameters": trainable_parameters(plan.config, backbone.hidden),
        "backbone": backbone.describe(),
    }
    return Outcome("completed", record, kept_tensors(fleet, run), {task: s.scores for task, s in scores.items()})


def reference_rows(
    config: RunConfig, *, backbone: Backbone | None = None, stopped: Callable[[], bool] = lambda: False,
    tasks: Catalogue = CATALOGUE,
) -> dict[str, Any] | None:
    """Untrained references on the dev rows that `config` scores: {"majority": …, "no_prompt": …}.

    majority: always answers the most frequent label of those rows; no_prompt: the prefix without a prompt. If some of
    its answers are no label, "unreadable" gives their share by task.
    None if `stopped`, asked before each batch, said so before everything was scored.
    """
    backbone = backbone or shared_backbone(config.backbone)
    data = load_data(config.tasks, config.data_dir, backbone.files, tasks)
    empty = {"": torch.zeros(0, backbone.hidden, device=backbone.device)}
    bare: dict[str, TaskScores] = {}
    for d in data:
        scored = _score_data(backbone, config, d, empty, lambda name: not stopped())
        if not scored:
            return None
        bare[d.task.name] = scored[""]
    most = {d.task.name: majority(d.task, sample_dev(d, config.eval_rows)) for d in data}
    unread = {task: s.unreadable for task, s in bare.items() if s.unreadable}
    return {"majority": most, "no_prompt": {task: s.metrics for task, s in bare.items()},
            **({"unreadable": unread} if unread else {})}


def summary(data: Sequence[TaskData], config: RunConfig, scores: Mapping[str, TaskScores]) -> dict[str, Any]:
    """The metrics part of a run's record: metrics per task, the two means, constant predictors, the share of answers
    that are no label, the number of rows scored, and what the majority class scores on them."""
    tasks = {task: s.metrics for task, s in scores.items()}
    primary = {d.task.name: d.task.metrics[0] for d in data}
    chance = {d.task.name: majority(d.task, sample_dev(d, config.eval_rows)) for d in data}
    return {
        "tasks": tasks,
        "mean": mean_primary(tasks, primary), "mean_normalised": mean_normalised(tasks, primary, chance),
        "constant": {task: s.constant for task, s in scores.items()},
        "unreadable": {task: s.unreadable for task, s in scores.items()},
        "eval_rows": {task: len(s.scores) for task, s in scores.items()}, "majority": chance,
    }


def _score(
    fleet: Fleet, plans: Mapping[str, RunPlan], data: Mapping[str, Sequence[TaskData]],
    control: Ask, on_event: OnEvent, leave: OnOutcome,
) -> Scores:
    """Score trained runs task by task, those with equal scoring settings together; a cancelled run leaves."""
    with torch.inference_mode():
        vectors = fleet.vectors()
    groups: dict[tuple[Any, ...], list[str]] = {}
    for run, plan in plans.items():
        c = plan.config
        rows = tuple(map(id, data[run]))  # the same objects if the same files were read
        key = (rows, c.prefix, c.position, c.max_tokens, c.scoring, c.similarity, c.eval_rows)
        groups.setdefault(key, []).append(run)
    result: Scores = {run: {} for run in plans}
    for runs in groups.values():
        for k, task_data in enumerate(data[runs[0]]):
            prompts = {run: vectors[slice(*_span(fleet, run, k))] for run in runs if run in result}
            config, going = plans[runs[0]].config, _Going(control)
            scores = _score_data(fleet.backbone, config, task_data, prompts, going)
            for run, why in going.left.items():
                del result[run]
                leave(run, Outcome(why))
            for run, scored in scores.items():
                result[run][task_data.task.name] = scored
                on_event(Log(run, plans[run].steps, f"scored {task_data.task.name}: {scored.metrics}"))
    return result


class _Going:
    """Whether `control` still wants a run; `left` keeps how the others ended."""

    def __init__(self, control: Ask):
        self.control = control
        self.left: dict[str, Literal["cancelled", "paused"]] = {}

    def __call__(self, run: str) -> bool:
        if run not in self.left and (asked := self.control(run)) != "keep":
            self.left[run] = "cancelled" if asked == "cancel" else "paused"
        return run not in self.left


def _span(fleet: Fleet, run: str, task: int) -> tuple[int, int]:
    offset, length = fleet.address[run, task]
    return offset, offset + length


def _score_data(
    backbone: Backbone, config: RunConfig, data: TaskData, prompts: Mapping[str, torch.Tensor],
    going: Callable[[str], bool],
) -> dict[str, TaskScores]:
    rows = sample_dev(data, config.eval_rows)
    encoded = encode_with(backbone.tokenizer, config, data.task, rows)
    return score_task(backbone, data.task, rows, encoded, prompts, prefix=config.prefix,
                      scoring=config.scoring, similarity=config.similarity, going=going)


def shared_backbone(ref: str, device: str | None = None) -> Backbone:
    """The backbone `ref` on `device` (by default the best), loaded only once as long as its files do not change and
    other backbones leave room for it."""
    return _SHELF.get(find_backbone(ref), device)


def _set_off(
    fleet: Fleet, plans: Mapping[str, RunPlan], data: Mapping[str, Sequence[TaskData]],
    resume: Mapping[str, Checkpoint], on_event: OnEvent, starts: Mapping[str, Starts],
) -> dict[str, Checkpoint]:
    """Reports the step that each run starts from; returns the checkpoints that still fit."""
    resumed = {}
    for run, plan in plans.items():
        stands_on, before = versions(fleet.backbone, plan.config, data[run], starts.get(run, {})), resume.get(run)
        if before is not None and continues(before, stands_on) and fits(fleet, plan, run, before):
            resumed[run] = before
        step = resumed[run].step if run in resumed else 0
        on_event(Started(run, plan.steps, stands_on, step))
        for note in () if step else _notes(plan, data[run]):
            on_event(Log(run, 0, note))
        if before is not None:
            on_event(Log(run, step, f"continues from its checkpoint at step {step}" if run in resumed else
                         "begins again: backbone, data or tensors have changed since its checkpoint"))
    return resumed
