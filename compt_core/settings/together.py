"""Settings of a run that do not go together, each problem as one sentence. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from compt_core.errors import Issue, nearest, plural, quoted
from compt_core.methods.table import METHODS, parameter_shapes
from compt_core.prompts.start import read_line
from compt_core.settings import sentences
from compt_core.settings.fields import Matrix, Settings

if TYPE_CHECKING:
    from compt_core.settings.config import RunConfig

EACH = (("each",),)  # as the phases of a run: one task after another


def problems_of_run(run: RunConfig, skip: AbstractSet[str]) -> list[Issue]:
    """Problems with the settings of a run that single fields cannot show; those in `skip` are wrong themselves."""
    found = []
    if run.gates == "fixed" and not {"alpha", "beta"} & skip:
        if run.alpha is None or run.beta is None:
            found.append(Issue("alpha", "gates=fixed needs both 'alpha' and 'beta', each a number in [0, 10]. "
                                        f"Got alpha={run.alpha}, beta={run.beta} instead."))
        elif run.alpha == run.beta == 0:
            found.append(Issue("alpha", "The fixed gates 'alpha' and 'beta' must not both be 0: the prompt would be "
                                        "empty. Got alpha=0, beta=0 instead; raise one of them."))
    found += _problems_of_phases(run) if run.phases and not {"tasks", "phases"} & skip else []
    found += _problems_of_start(run) if not {"init", "freeze"} & skip else []
    found += _problems_of_labels(run) if not {"tasks", "shuffle_labels"} & skip else []
    if isinstance(run.attention, tuple) and not {"tasks", "sources"} & skip:
        found += _problems_of_matrix(run.attention, len(run.tasks), run.sources)
    if run.gates == "fixed" and METHODS[run.method].structure(run).form == "sum" and "form" not in skip:
        found.append(Issue("form", "gates=fixed needs a form of SPP that has gates. Got form=sum, the plain sum; "
                                   "choose form=mean or form=gated_sum, or leave out gates, alpha and beta."))
    if run.similarity == "expectation" and run.scoring == "generate" and not {"similarity", "scoring"} & skip:
        found.append(Issue("similarity", "similarity=expectation needs a score for every label. Got scoring=generate, "
                                         "which gives none; choose scoring=sum or mean, or similarity=argmax."))
    if run.select == "best" and run.shots < 4:
        found.append(Issue("select", "select=best holds out a quarter of the shots, so it needs at least 4. "
                                     f"Got {plural(run.shots, 'shot')} instead; use select=last."))
    return found


def _problems_of_phases(run: RunConfig) -> list[Issue]:
    named = [task for phase in run.phases for task in phase]
    strange = next((task for task in named if task not in run.tasks), None)
    wrong = f"Got {quoted(strange)}, which is not among the tasks" if strange is not None else \
        next((f"Got {quoted(task)} twice" for task in named if named.count(task) > 1), "") or \
        next((f"Task {quoted(task)} is missing" for task in run.tasks if task not in named), "")
    if run.phases != EACH and wrong:
        return [Issue("phases", f"The 'phases' setting of an experiment must name every task once. {wrong}; give "
                                "phases such as 'sst2,mnli+qnli', or 'each' for one task after another.")]
    if not all(run.phases):
        return [Issue("phases", "The 'phases' setting of an experiment must name a task in every phase. Got an empty "
                                "phase; leave it out.")]
    found = [] if run.steps is None else problems_of_steps(run, run.steps)
    if run.select == "best":
        found.append(Issue("select", "select=best chooses one step for all tasks, so it does not go with phases. Use "
                                     "select=last."))
    return found


def _problems_of_labels(run: RunConfig) -> list[Issue]:
    strange = [task for task in run.shuffle_labels if task not in run.tasks]
    return [Issue("shuffle_labels", "The 'shuffle_labels' setting of an experiment must name its own tasks. Got "
                                    f"{quoted(strange[0])}, which is not among them.{nearest(strange[0], run.tasks)}"
                  )] if strange else []


def _problems_of_start(run: RunConfig) -> list[Issue]:
    found, parts = [], [read_line(line).part for line in run.init]
    if len(set(parts)) < len(parts):
        found.append(Issue("init", f"The 'init' setting of an experiment must name each part once. Got {parts[0]} "
                                   "twice; leave one of the lines out."))
    if parts and run.encoder == "mlp":
        found.append(Issue("init", "Given prompts cannot be the first ones of encoder=mlp, which makes its own out of "
                                   "numbers. Use encoder=residual or encoder=none."))
    if run.freeze and not parameter_shapes(run, 1):
        found.append(Issue("freeze", f"The 'freeze' setting of an experiment must leave something to train. With "
                                     f"method={run.method} nothing is left; take a part out of it."))
    return found


def problems_of_steps(run: RunConfig, steps: int) -> list[Issue]:
    """What is wrong with a run that takes so many optimizer steps."""
    if steps >= len(run.order):
        return []
    return [Issue("phases", f"Every phase needs at least one step. Got {plural(len(run.order), 'phase')} and "
                            f"{plural(steps, 'step')}; raise steps or epochs, or put tasks together with +.")]


def _problems_of_matrix(matrix: Matrix, tasks: int, sources: int) -> list[Issue]:
    widths = sorted({len(row) for row in matrix})
    if (len(matrix), widths) != (tasks, [sources]):
        got = "rows of different lengths" if len(widths) != 1 else f"{len(matrix)} x {widths[0]}"
        return [Issue("attention", "The fixed 'attention' matrix must have a row per task and a column per source "
                                   f"({tasks} x {sources}). Got {got} instead.")]
    if any(not math.isfinite(weight) or weight < 0 for row in matrix for weight in row):
        return [Issue("attention", f"The 'attention' setting of an experiment must be "
                                   f"{sentences.allowed_values(Settings.model_fields['attention'])}. "
                                   "Got a negative or infinite weight instead.")]
    empty = next((number for number, row in enumerate(matrix, 1) if not any(row)), None)
    if empty is not None:
        return [Issue("attention", "Every row of the fixed 'attention' matrix must have a weight above 0, or else the "
                                   f"shared part of its task would be empty. Got only zeros in row {empty}.")]
    return []
