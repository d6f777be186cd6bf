"""What the runs of a store answered on each of their dev rows, with the right answers. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from compt_core.backbone.load import find_backbone
from compt_core.errors import BackboneError, ComptError, DataError, StoreError, plural
from compt_core.planning.data import as_read
from compt_core.runs.record import RunRecord, State
from compt_core.runs.store import Store
from compt_core.scoring.predictions import UNREADABLE, predict
from compt_core.tasks import selections
from compt_core.tasks.fewshot import held_out_digest, sample_dev, shots_of
from compt_core.tasks.files import load_task, stamp
from compt_core.tasks.spec import Row, Task, TaskData

MOST_BYTES = 50_000_000  # of a task's files that are read only to see whether they changed
Answer = tuple[str, str, int, str | float | None, str | float | None]  # run, task, row, predicted, gold


class ChangedRows(DataError):
    """The rows of a task are no longer those that a run was trained and scored on."""


def stored_answers(store: Store, runs: Sequence[RunRecord], notes: list[str]) -> Iterator[Answer]:
    """The :func:`answers` of all completed `runs` of one experiment, which share their data. `notes` gets a sentence
    for whatever could not be read, and is complete once all answers were taken."""
    done = [run for run in runs if run.state == State.COMPLETED]
    told = set[str]()  # one sentence per task is enough
    for run in done:
        gold: dict[str, tuple[Row, ...]] = {}
        for task in run.config["tasks"]:
            try:
                gold[task] = scored_rows(run, task)
            except ComptError as error:
                if task not in told:
                    notes.append(f"The right answers of task '{task}' are left out: {error}")
                told.add(task)
        try:
            yield from answers(run, store.scores(run.id), gold)
        except StoreError as error:
            notes.append(f"The predictions of run {run.id} are left out: {error}")


def scored_rows(run: RunRecord, task: str) -> tuple[Row, ...]:
    """The dev rows of `task` that a completed run was scored on, in order. Raises DataError as :func:`data_of` does."""
    return sample_dev(data_of(run, task), run.config["eval_rows"])


def data_of(run: RunRecord, task: str) -> TaskData:
    """The rows of `task` that a completed run was trained and scored on.

    Raises DataError if the data can no longer be read or are not the run's, or if the store has no definition of the
    task, or one that differs from the run's.
    """
    data = load_task(run.tasks.needed(task), folder := run.config["data_dir"])
    digest = ((run.versions or {}).get("data") or {}).get(task)
    if digest != data.digest:  # rows were left out because of how its backbone reads them, or the files changed
        known = run.tasks.only(run.config["tasks"])
        try:
            read = as_read([load_task(one, folder) for one in known.values()],
                           find_backbone(run.config["backbone"], fetch=False))
        except BackboneError as error:
            raise DataError(f"only its backbone tells which rows run {run.id} was trained on. {error}") from None
        data = read[list(known).index(task)]
    if digest != data.digest:
        raise ChangedRows(f"the data of task '{task}' are not those that run {run.id} was trained and scored on. Put "
                          "the earlier files back to see them.")
    kept = ((run.versions or {}).get("tasks") or {}).get(task)
    if kept not in (None, data.task.digest(run.config.get("prefix", "neutral"))):  # None: not kept before
        raise DataError(f"the label words, columns or metrics of task '{task}' have changed since run {run.id} was "
                        "trained.")
    return data


def lost_rows(run: RunRecord) -> tuple[list[str], list[str]]:
    """Of the tasks of a completed run whose rows are in files of this machine: those whose rows can no longer be read,
    and those whose rows have changed since. Files of more than MOST_BYTES are not read for this."""
    gone, changed, folder = list[str](), list[str](), run.config["data_dir"]
    for name, task in run.tasks.only(run.config["tasks"]).items():
        if task.bundled or (task.files is None and folder in (None, *selections.NAMES)):
            continue
        size = sum(size for _, _, size in stamp(task, folder))
        try:
            if size <= MOST_BYTES:
                load_task(task, folder)
                data_of(run, name)
        except ChangedRows:
            changed.append(name)
        except DataError:
            gone.append(name)
    return gone, changed


def trained_rows(run: RunRecord, task: str) -> tuple[Row, ...]:
    """The rows of `task` that a run was trained on. Raises DataError as :func:`data_of` does, and if an earlier version
    drew them in another way."""
    data, config = data_of(run, task), run.settings
    held_out = ((run.versions or {}).get("held_out") or {}).get(task)
    if config.select == "best" and held_out != held_out_digest(config, data):
        raise DataError(f"run {run.id} was trained by an earlier version, which held out other rows of task '{task}' "
                        "to choose the best step. Run it again to see which rows it is trained on.")
    return shots_of(config, data)[0]


def stored_predictions(run: RunRecord, task: Task, scores: np.ndarray) -> np.ndarray:
    """Predictions [n] from label scores [n, C] of a run's task, read the way the run reads them (`predict`). Raises
    StoreError if the number of labels is not the task's."""
    if scores.shape[1] != len(task.labels):
        raise StoreError(f"the scores of run {run.id} on task '{task.name}' are for "
                         f"{plural(scores.shape[1], 'label')}, but the task has {len(task.labels)}.")
    return predict(task, scores, similarity=run.config["similarity"], generated=run.config["scoring"] == "generate")


def answers(run: RunRecord, scores: Mapping[str, np.ndarray], gold: Mapping[str, Sequence[Row]]) -> Iterator[Answer]:
    """One answer per scored dev row, from the run's label scores [rows, labels] of each task; rows count from 0.

    Answers are label words, or numbers for a numeric task. The right answer is None for a task whose rows are not
    given; the predicted one is None if the generated text was no label. Tasks that the store has no definition of are
    left out.
    """
    config = run.config
    for name in (task for task in config["tasks"] if task in scores and task in run.tasks):
        task, rows = run.tasks[name], gold.get(name)
        found = stored_predictions(run, task, scores[name])
        for number, value in enumerate(found.tolist()):
            yield run.id, name, number, _said(task, value), _said(task, rows[number].value) if rows else None


def _said(task: Task, value: float) -> str | float | None:
    if task.numeric:
        return value
    return None if value == UNREADABLE else task.labels[int(value)]
