"""The suites `demo`, `demo-glue` and `demo-more`: their tasks as tables, and the rows of each.

A task consists of a skill, label words and templates (word orders of its texts). In `demo`, three families of four
tasks share the same four templates and sentence shapes, so that form does not tell them apart. `demo-glue` mirrors the
eight tasks of GLUE one by one. A skill's label words and templates, and all sentences, of these two were held out from
pre-training. `demo-more` has twelve tasks in five families for studies of many tasks. The backbone was taught their
skills, label words and word orders, and nothing kept their sentences out, which are new draws.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from compt_core.language.cases import GRADES, SKILLS, draw_case
from compt_core.language.grammar import as_text, plain
from compt_core.language.pairs import EVERYTHING, Dice

TRAIN_ROWS: Final = 2000
DEV_ROWS: Final = 300
_SEED: Final = 20240813
Template = tuple[int, ...]  # the index of each text's word order: in grammar.ORDERS, or in VOICES for a question


class DemoTask(NamedTuple):
    """A task as a row of a table; `labels` are in the order of the skill's answers (no, yes if there are two)."""

    name: str
    suite: str
    family: str
    skill: str
    labels: tuple[str, ...]
    templates: tuple[Template, ...]


class DemoRow(NamedTuple):
    """Texts, the index of the label word, and the gold value (the same number, except in a graded task)."""

    texts: tuple[str, ...]
    label: int
    value: float


TEMPLATES: Final[tuple[Template, ...]] = ((0, 2), (1, 0), (3, 1), (2, 3))
_SINGLE: Final[tuple[Template, ...]] = ((3,),)
_LABELS: Final = {
    ("sentiment", "mood"): (("demo-mood", "opposite", "alike"), ("demo-opinion", "disagree", "agree"),
                            ("demo-feeling", "clash", "match"), ("demo-attitude", "contrary", "shared")),
    ("paraphrase", "meaning"): (("demo-reword", "different", "same"), ("demo-meaning", "unequal", "equal"),
                                ("demo-twin", "no", "yes"), ("demo-echo", "distinct", "identical")),
    ("inference", "follows"): (("demo-follows", "false", "true"), ("demo-proves", "wrong", "right"),
                               ("demo-implies", "doubtful", "certain"), ("demo-entails", "invalid", "valid")),
}
DEMO_SUITE: Final = tuple(
    DemoTask(name, "demo", family, skill, (no, yes), (TEMPLATES[index],))
    for (family, skill), tasks in _LABELS.items() for index, (name, no, yes) in enumerate(tasks)
)
NUMBERS: Final = tuple(f"{grade / 5:.1f}" for grade in range(GRADES))
_ENTAILMENT: Final = ("not_entailment", "entailment")
GLUE_SUITE: Final = (
    DemoTask("demo-cola", "demo-glue", "acceptability", "sound", ("unacceptable", "acceptable"), _SINGLE),
    DemoTask("demo-sst2", "demo-glue", "sentiment", "liking", ("negative", "positive"), _SINGLE),
    DemoTask("demo-mrpc", "demo-glue", "paraphrase", "meaning", ("not_equivalent", "equivalent"), TEMPLATES),
    DemoTask("demo-qqp", "demo-glue", "paraphrase", "asks", ("not_duplicate", "duplicate"), ((0, 1),)),
    DemoTask("demo-stsb", "demo-glue", "similarity", "similarity", NUMBERS, TEMPLATES),
    DemoTask("demo-mnli", "demo-glue", "inference", "verdict", ("entailment", "neutral", "contradiction"), TEMPLATES),
    DemoTask("demo-qnli", "demo-glue", "inference", "answers", _ENTAILMENT, ((0, 3), (1, 0))),
    DemoTask("demo-rte", "demo-glue", "inference", "follows", _ENTAILMENT, TEMPLATES),
)
SUITE: Final = DEMO_SUITE + GLUE_SUITE  # what pre-training kept away from
_MORE: Final = (  # skill, family, label words
    ("likes1", "attitude", "wrong", "right"), ("likes2", "attitude", "no", "yes"),
    ("denied1", "denial", "false", "true"), ("denied2", "denial", "invalid", "valid"),
    ("actor", "person", "distinct", "identical"), ("worker1", "person", "doubtful", "certain"),
    ("worker2", "person", "no", "yes"), ("object", "thing", "different", "same"),
    ("animal1", "thing", "wrong", "right"), ("animal2", "thing", "false", "true"),
    ("inside1", "place", "no", "yes"), ("inside2", "place", "invalid", "valid"),
)
MORE_SUITE: Final = tuple(DemoTask(f"demo-{skill}", "demo-more", family, skill, (no, yes), (TEMPLATES[index % 4],))
                          for index, (skill, family, no, yes) in enumerate(_MORE))
BY_NAME: Final = {task.name: task for task in SUITE + MORE_SUITE}


def relatedness() -> tuple[tuple[float, ...], ...]:
    """The true relatedness of the `demo` suite's tasks [K, K]: 1 within a family, else 0."""
    return tuple(tuple(float(one.family == two.family) for two in DEMO_SUITE) for one in DEMO_SUITE)


@lru_cache(maxsize=1)
def held_out_templates() -> dict[str, frozenset[Template]]:
    """Skill -> templates of its tasks, which its lessons must not use."""
    return {skill: frozenset(template for task in SUITE if task.skill == skill for template in task.templates)
            for skill in SKILLS}


@lru_cache(maxsize=1)
def held_out_sentences() -> frozenset[str]:
    """The words of every text of both suites, train and dev; none of these texts may be taught."""
    return frozenset(" ".join(plain(text)) for task in SUITE for rows in suite_rows(task.name)
                     for row in rows for text in row.texts)


@lru_cache(maxsize=len(BY_NAME))
def suite_rows(name: str) -> tuple[tuple[DemoRow, ...], tuple[DemoRow, ...]]:
    """(training rows, dev rows) of a task: balanced over labels (in a graded task, as drawn), no pair of texts twice,
    the same at every call.

    The label is the skill's answer on the texts (`cases.certify` reads them back, and a test checks that it agrees on
    every row). Raises KeyError for a name that the suites do not have.
    """
    task = BY_NAME[name]
    rng = np.random.default_rng([_SEED, list(BY_NAME).index(name)])
    dice, seen = Dice(rng), set()
    groups = 1 if SKILLS[task.skill].labels == GRADES else len(task.labels)
    train, dev = -(-TRAIN_ROWS // groups), DEV_ROWS // groups
    parts: tuple[list[DemoRow], list[DemoRow]] = ([], [])
    for want in range(groups):
        rows: list[DemoRow] = []
        while len(rows) < train + dev:
            row = _row(task, dice, want)
            if row.texts not in seen and len(set(row.texts)) == len(row.texts):
                seen.add(row.texts)
                rows.append(row)
        parts[0].extend(rows[dev:])
        parts[1].extend(rows[:dev])
    first, second = (tuple(rows[i] for i in rng.permutation(len(rows))) for rows in parts)
    return first, second


def _row(task: DemoTask, dice: Dice, want: int) -> DemoRow:
    template = task.templates[dice.below(len(task.templates))]
    case = draw_case(dice, task.skill, want, EVERYTHING, template)
    texts = tuple(as_text(text, order, question=field == "question") for field, text, order
                  in zip(SKILLS[task.skill].fields, case.texts, template, strict=True))
    if SKILLS[task.skill].labels == GRADES:
        return DemoRow(texts, round(case.answer * 5), case.answer)
    return DemoRow(texts, int(case.answer), float(case.answer))
