"""The `demo` suite: three families of four tasks, and their rows.

A task is a skill, a pair of label words and a template (the word orders of its two sentences). All
families share the four templates and the sentence shapes, so form does not tell them apart. A
skill's label words and templates here were held out from its pre-training, as were all rows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from compt_core.demo.grammar import parse, render
from compt_core.demo.pairs import SKILLS, Dice, draw

TRAIN_ROWS: Final = 2000
DEV_ROWS: Final = 300
_SEED: Final = 20240813


class DemoTask(NamedTuple):
    """A task as a row of a table: `orders` index `grammar.ORDERS`, `labels` stand in the order (no, yes)."""

    name: str
    family: str
    skill: str
    labels: tuple[str, str]
    orders: tuple[int, int]


class DemoRow(NamedTuple):
    """Two sentences and the index of the label word."""

    sentence1: str
    sentence2: str
    label: int


TEMPLATES: Final = ((0, 2), (1, 0), (3, 1), (2, 3))
_LABELS: Final = {
    ("sentiment", "mood"): (("demo-mood", "opposite", "alike"), ("demo-opinion", "disagree", "agree"),
                            ("demo-feeling", "clash", "match"), ("demo-attitude", "contrary", "shared")),
    ("paraphrase", "meaning"): (("demo-reword", "different", "same"), ("demo-meaning", "unequal", "equal"),
                                ("demo-twin", "no", "yes"), ("demo-echo", "other", "identical")),
    ("inference", "follows"): (("demo-follows", "false", "true"), ("demo-proves", "wrong", "right"),
                               ("demo-implies", "doubtful", "certain"), ("demo-entails", "invalid", "valid")),
}
SUITE: Final = tuple(
    DemoTask(name, family, skill, (no, yes), TEMPLATES[index])
    for (family, skill), tasks in _LABELS.items() for index, (name, no, yes) in enumerate(tasks)
)
BY_NAME: Final = {task.name: task for task in SUITE}


def relatedness() -> tuple[tuple[float, ...], ...]:
    """The true relatedness of the suite's tasks [K, K]: 1 within a family, else 0."""
    return tuple(tuple(float(one.family == two.family) for two in SUITE) for one in SUITE)


@lru_cache(maxsize=len(SUITE))
def suite_rows(name: str) -> tuple[tuple[DemoRow, ...], tuple[DemoRow, ...]]:
    """(training rows, dev rows) of a task: balanced, no pair twice, the same at every call.

    The label is what the skill answers on the two sentences as read back by the parser.
    Raises KeyError for a name that the suite does not hold.
    """
    task = BY_NAME[name]
    rng = np.random.default_rng([_SEED, SUITE.index(task)])
    dice, seen = Dice(rng), set()
    sides: tuple[list[DemoRow], list[DemoRow]] = ([], [])
    wanted = (TRAIN_ROWS + DEV_ROWS) // 2
    for want in (False, True):
        while len(sides[want]) < wanted:
            pair = draw(dice, task.skill, want)
            row = DemoRow(render(pair.first, task.orders[0], pair.picks1),
                          render(pair.second, task.orders[1], pair.picks2), int(want))
            if row in seen or row.sentence1 == row.sentence2:
                continue
            if SKILLS[task.skill](parse(row.sentence1), parse(row.sentence2)) is not want:
                raise AssertionError(f"The parser disagrees with the label of {row}.")
            seen.add(row)
            sides[want].append(row)
    parts = []
    for start, stop in ((DEV_ROWS // 2, wanted), (0, DEV_ROWS // 2)):
        rows = sides[0][start:stop] + sides[1][start:stop]
        parts.append(tuple(rows[i] for i in rng.permutation(len(rows))))
    return parts[0], parts[1]
