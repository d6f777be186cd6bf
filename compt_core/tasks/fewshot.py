"""Few-shot samples: balanced over labels and fixed by the seed. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from compt_core.errors import ConfigError, Issue
from compt_core.settings.config import RunConfig
from compt_core.streams import stream
from compt_core.tasks.spec import Row, Task, TaskData

EVAL_SEED = 20240813  # for --eval-rows: the same dev rows whatever the run's seed


def sample_shots(data: TaskData, config: RunConfig) -> tuple[Row, ...]:
    """The training rows of one run on one task, in a fixed order.

    Per task: ``shots // labels`` rows of each label, and the remainder drawn from the other rows. A numeric task
    (STS-B) has more labels than shots, so its rows are drawn freely and always per task. Per class: `shots` rows of
    each label. The rows of a task in `shuffle_labels` get each other's labels at random. Raises ConfigError where there
    are fewer rows than shots.
    """
    task, shots = data.task, config.shots
    by_label = _of_train(data)
    per_class = config.shots_per == "class" and not task.numeric
    available = min(map(len, by_label)) if per_class else len(data.train)
    if shots > available:
        raise ConfigError([Issue("shots", "The 'shots' setting of an experiment must not exceed the training rows of "
                                          f"task '{task.name}'{' per label' if per_class else ''} ({available}). "
                                          f"Got {shots} instead; choose fewer shots.")])
    seed = config.seed if config.data_seed is None else config.data_seed
    order = [stream(seed, "shots", task.name, label).permutation(rows) for label, rows in enumerate(by_label)]
    if per_class:
        chosen = np.concatenate([rows[:shots] for rows in order])
    else:
        even = 0 if task.numeric else shots // len(task.labels)
        chosen = np.concatenate([rows[:even] for rows in order])
        rest = stream(seed, "shots", task.name, "rest").permutation(np.delete(np.arange(len(data.train)), chosen))
        chosen = np.concatenate([chosen, rest[: shots - len(chosen)]])
    rows = tuple(data.train[int(i)] for i in chosen)
    if task.name not in config.shuffle_labels:
        return rows
    others = stream(seed, "shuffled labels", task.name).permutation(len(rows))
    return tuple(Row(row.texts, rows[k].label, rows[k].value) for row, k in zip(rows, others, strict=True))


def sample_dev(data: TaskData, eval_rows: int | None) -> tuple[Row, ...]:
    """The dev rows that are scored: all, or `eval_rows` of them, drawn independently of the run's seed."""
    if eval_rows is None or eval_rows >= len(data.dev):
        return data.dev
    chosen = stream(EVAL_SEED, "dev", data.task.name).permutation(len(data.dev))[:eval_rows]
    return tuple(data.dev[int(i)] for i in sorted(chosen))


def shots_of(config: RunConfig, data: TaskData) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """(rows of a task that a run trains on, rows held out to choose its best step). Raises as :func:`sample_shots`."""
    rows = sample_shots(data, config)
    if config.select != "best":
        return rows, ()
    return hold_out(data.task, rows, config.seed if config.data_seed is None else config.data_seed)


def held_out_digest(config: RunConfig, data: TaskData) -> str:
    """sha256 of the rows of a task that a run holds out: its settings alone do not tell which rows these are."""
    rows = [(row.texts, row.value) for row in shots_of(config, data)[1]]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def hold_out(task: Task, rows: Sequence[Row], seed: int) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """(rows to train on, rows to choose the best step by): a quarter is held out, drawn by `seed` for each task.

    The held-out rows are one of every label first, as far as they reach, then in proportion to the labels. The last row
    of a label stays in training. For a numeric task they are one row from each of as many bands of its values, with
    different values where possible.
    """
    draw = stream(seed, "hold-out", task.name)
    held = (_from_bands if task.numeric else _from_labels)(task, rows, len(rows) // 4, draw)
    kept = tuple(row for i, row in enumerate(rows) if i not in held)
    return kept, tuple(row for i, row in enumerate(rows) if i in held)


def _from_labels(task: Task, rows: Sequence[Row], count: int, draw: np.random.Generator) -> set[int]:
    """The places of `count` rows, spread over labels."""
    of_label = [draw.permutation(places).tolist() for places in _by_label(rows, len(task.labels))]
    first, taken = draw.permutation(len(of_label)).tolist(), [0] * len(of_label)

    def turn(label: int) -> tuple[bool, bool, float, int]:
        size, out = len(of_label[label]), taken[label]
        return size - out > 1, not out, size / (2 * out + 1), first[label]  # the last one breaks ties

    for _ in range(count):
        taken[max((label for label, places in enumerate(of_label) if taken[label] < len(places)), key=turn)] += 1
    return {place for places, number in zip(of_label, taken, strict=True) for place in places[:number]}


def _from_bands(task: Task, rows: Sequence[Row], count: int, draw: np.random.Generator) -> set[int]:
    """The places of `count` rows, spread over values."""
    order = np.argsort([row.value for row in rows], kind="stable")
    bands = [draw.permutation(band).tolist() for band in np.array_split(order, count)] if count else []
    held: dict[int, int] = {}  # place -> label
    for band in sorted(bands, key=lambda band: len({rows[place].label for place in band})):  # fewest choices first
        place = next((one for one in band if rows[one].label not in held.values()), band[0])
        held[place] = rows[place].label
    return set(held)


def rows_per_label(task: Task, rows: Sequence[Row]) -> dict[str, int]:
    """How many of `rows` have each label, 0 included; of a numeric task only the scores that occur."""
    counts = np.bincount([row.label for row in rows], minlength=len(task.labels)).tolist()
    return {label: count for label, count in zip(task.labels, counts, strict=True) if count or not task.numeric}


def lacking(task: Task, counts: Mapping[str, int]) -> tuple[str, ...]:
    """The labels that no row has; empty for a numeric task, which has more scores than shots."""
    return () if task.numeric else tuple(label for label, count in counts.items() if not count)


def total_steps(config: RunConfig, rows: int) -> int:
    """Optimizer steps of a run that trains on `rows` rows over all tasks."""
    return config.steps or max(1, int(np.ceil(rows * config.epochs / config.batch)))


@lru_cache(maxsize=64)  # every seed and shot count of a grid needs the same
def _of_train(data: TaskData) -> list[np.ndarray]:
    return _by_label(data.train, len(data.task.labels))


def _by_label(rows: Sequence[Row], labels: int) -> list[np.ndarray]:
    """The places of the rows of each label."""
    index = np.array([row.label for row in rows])
    return [np.flatnonzero(index == label) for label in range(labels)]
