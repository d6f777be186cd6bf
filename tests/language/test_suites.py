"""The demo suites: certified, balanced, disjoint, repeatable rows without shallow cues."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_predict

from compt_core.errors import DataError
from compt_core.language.cases import SKILLS, certify
from compt_core.language.grammar import plain
from compt_core.language.suites import BY_NAME, DEMO_SUITE, GLUE_SUITE, SUITE, DemoRow, relatedness, suite_rows
from compt_core.settings.presets import DEMO_GLUE_TASKS, DEMO_TASKS
from compt_core.tasks.demo import DEMO, demo_rows
from compt_core.tasks.table import TASKS

NAMES = [task.name for task in DEMO]
PAIR_TASKS = [task.name for task in SUITE if len(task.templates[0]) == 2]
GRADED = "demo-stsb"


@pytest.mark.parametrize("name", NAMES)
def test_every_label_is_what_the_parser_certifies(name: str) -> None:
    for split in ("train", "dev"):
        for row in demo_rows(name, split):
            answer = certify(BY_NAME[name].skill, *row.texts)
            assert answer == row.value
            assert row.label == (round(row.value * 5) if name == GRADED else row.value)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_balanced_unique_and_disjoint(name: str) -> None:
    train, dev = demo_rows(name, "train"), demo_rows(name, "dev")
    assert 2000 <= len(train) <= 2001 and len(dev) == 300
    assert len({row.texts for row in train} | {row.texts for row in dev}) == len(train) + len(dev)
    if name != GRADED:
        labels = len(TASKS[name].labels)
        assert Counter(row.label for row in dev) == dict.fromkeys(range(labels), 300 // labels)
        assert len(set(Counter(row.label for row in train).values())) == 1
    else:
        values = np.array([row.value for row in dev])
        assert values.min() == 0 and values.max() == 5 and values.std() > 1


@pytest.mark.slow
def test_rows_are_the_same_in_another_process() -> None:
    code = ("from compt_core.tasks.demo import demo_rows; import zlib, sys; "
            "print(zlib.crc32(repr(demo_rows('demo-twin', 'dev')).encode()), 'torch' in sys.modules)")
    outputs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                              env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}).stdout
               for seed in ("1", "2")}
    assert len(outputs) == 1
    assert outputs.pop().split()[1] == "False", "drawing rows must not load torch"


def test_tasks_differ_in_rows() -> None:
    assert len({demo_rows(name, "dev")[0].texts for name in NAMES}) == len(NAMES)


def test_names_families_and_templates() -> None:
    assert [task.name for task in DEMO_SUITE] == DEMO_TASKS and [task.name for task in GLUE_SUITE] == DEMO_GLUE_TASKS
    assert all(name.startswith("demo-") for name in NAMES)
    assert [task.family for task in DEMO_SUITE] == ["sentiment"] * 4 + ["paraphrase"] * 4 + ["inference"] * 4
    labels = [label for task in DEMO_SUITE for label in task.labels]
    assert len(set(labels)) == len(labels), "no two tasks of the demo share a label word"
    by_family = {family: [task.templates for task in DEMO_SUITE if task.family == family]
                 for family in ("sentiment", "paraphrase", "inference")}
    assert by_family["sentiment"] == by_family["paraphrase"] == by_family["inference"]


def test_demo_glue_mirrors_glue() -> None:
    for task in GLUE_SUITE:
        mirror, real = TASKS[task.name], TASKS[task.name.removeprefix("demo-")]
        assert (mirror.family, mirror.metrics, mirror.numeric) == (real.family, real.metrics, real.numeric)
        assert mirror.columns == real.columns or len(mirror.columns) == len(real.columns)
        assert set(mirror.labels) == set(real.labels)


def test_relatedness_is_the_families() -> None:
    matrix = np.array(relatedness())
    assert matrix.shape == (12, 12) and (matrix == matrix.T).all()
    assert (matrix == np.kron(np.eye(3), np.ones((4, 4)))).all()


def test_unknown_task_or_split_is_refused() -> None:
    with pytest.raises(DataError, match=r"no task 'demo-mod'. Did you mean 'demo-mood'\?"):
        demo_rows("demo-mod", "dev")
    with pytest.raises(DataError, match=r"must be 'train' or 'dev'\. Got 'test' instead"):
        demo_rows("demo-mood", "test")


def rows_of(name: str) -> list[DemoRow]:
    return [row for rows in suite_rows(name) for row in rows]


def told_by_words(name: str, rows: list[DemoRow]) -> tuple[float, float]:
    """How well words tell the answer, cross-validated over all 2,300 rows, and how well nothing does.

    The words of either sentence are columns of their own, as counts and as presence, so that a linear model sees what
    it would see in the first sentence, in the second or in both. Standard error of an accuracy: 1 point.
    """
    tables = [CountVectorizer(analyzer=lambda row, at=at: plain(row.texts[at]), binary=binary).fit_transform(rows)
              for at in (0, 1) for binary in (False, True)]
    table, labels = hstack(tables).tocsr(), np.array([row.value for row in rows])
    if SKILLS[BY_NAME[name].skill].labels == 26:
        return np.corrcoef(labels, cross_val_predict(Ridge(10.0), table, labels, cv=5))[0, 1], 0.0
    predicted = cross_val_predict(LogisticRegression(C=0.1, max_iter=500), table, labels, cv=5)
    return np.mean(predicted == labels), 1 / len(set(labels))


@pytest.mark.parametrize("name", PAIR_TASKS)
def test_words_alone_say_next_to_nothing(name: str) -> None:
    told, chance = told_by_words(name, rows_of(name))
    limit = 0.2 if name == GRADED else chance + 0.05
    assert told < limit, f"{name}: {told:.3f} from its words, {chance:.3f} without"


@pytest.mark.parametrize("at", [0, 1])
def test_a_word_that_tells_the_answer_would_be_seen(at: int) -> None:
    """Half of the rows with one answer have it, in one of their sentences."""
    rows = [row._replace(texts=tuple(f"{text} dragon" if i == at and row.value and number % 2 else text
                                     for i, text in enumerate(row.texts)))
            for number, row in enumerate(rows_of("demo-twin"))]
    told, chance = told_by_words("demo-twin", rows)
    assert told > chance + 0.05


@pytest.mark.parametrize("name", [name for name in PAIR_TASKS if name != GRADED])
def test_the_number_of_shared_words_says_little(name: str) -> None:
    rows = rows_of(name)
    shared = np.array([len(set(plain(row.texts[0])) & set(plain(row.texts[1]))) for row in rows])
    labels = np.array([row.label for row in rows])
    for label in set(labels):
        right = labels == label
        best = max(max(np.mean((shared >= cut) == right), np.mean((shared < cut) == right)) for cut in range(12))
        assert best < max(right.mean(), 1 - right.mean()) + 0.06, f"{name}: {best:.3f} from the number of shared words"
