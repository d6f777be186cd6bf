"""The demo suite: certified, balanced, disjoint, repeatable rows without shallow cues."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from compt_core.demo.grammar import parse
from compt_core.demo.pairs import SKILLS
from compt_core.demo.suites import BY_NAME, DEV_ROWS, SUITE, TRAIN_ROWS, relatedness, suite_rows
from compt_core.errors import DataError
from compt_core.presets import DEMO_TASKS
from compt_core.tasks.demo import DEMO, demo_rows

NAMES = [task.name for task in DEMO]


@pytest.mark.parametrize("name", NAMES)
def test_every_label_is_what_the_parser_certifies(name: str) -> None:
    skill = SKILLS[BY_NAME[name].skill]
    for split in ("train", "dev"):
        for row in demo_rows(name, split):
            assert skill(parse(row.texts[0]), parse(row.texts[1])) is bool(row.label)
            assert row.value == row.label


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_balanced_unique_and_disjoint(name: str) -> None:
    train, dev = demo_rows(name, "train"), demo_rows(name, "dev")
    assert (len(train), len(dev)) == (TRAIN_ROWS, DEV_ROWS) == (2000, 300)
    assert [sum(row.label for row in rows) for rows in (train, dev)] == [1000, 150]
    assert len({row.texts for row in train} | {row.texts for row in dev}) == 2300


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
    assert NAMES == DEMO_TASKS and all(name.startswith("demo-") for name in NAMES)
    assert [task.family for task in DEMO] == ["sentiment"] * 4 + ["paraphrase"] * 4 + ["inference"] * 4
    assert len({task.labels for task in SUITE}) == len({label for task in SUITE for label in task.labels}) / 2 == 12
    by_family = {family: [task.orders for task in SUITE if task.family == family]
                 for family in ("sentiment", "paraphrase", "inference")}
    assert by_family["sentiment"] == by_family["paraphrase"] == by_family["inference"]


def test_relatedness_is_the_families() -> None:
    matrix = np.array(relatedness())
    assert matrix.shape == (12, 12) and (matrix == matrix.T).all()
    assert (matrix == np.kron(np.eye(3), np.ones((4, 4)))).all()


def test_unknown_task_or_split_is_refused() -> None:
    with pytest.raises(DataError, match=r"no task 'demo-mod'. Did you mean 'demo-mood'\?"):
        demo_rows("demo-mod", "dev")
    with pytest.raises(DataError, match=r"must be 'train' or 'dev'\. Got 'test' instead"):
        demo_rows("demo-mood", "test")


VIEWS = {"first sentence": lambda row: row.texts[0], "second sentence": lambda row: row.texts[1],
         "both sentences": lambda row: " ".join(row.texts)}


@pytest.mark.parametrize("binary", [False, True], ids=["counts", "presence"])
@pytest.mark.parametrize("view", VIEWS)
def test_words_alone_say_next_to_nothing(view: str, binary: bool) -> None:
    """Bags of words over the rows of a skill's four tasks; 3,000 held-out rows: standard error 0.9 points."""
    for skill in ("mood", "meaning", "follows"):
        names = [task.name for task in SUITE if task.skill == skill]
        rows = [row for name in names for row in (*demo_rows(name, "train"), *demo_rows(name, "dev"))]
        rng = np.random.default_rng(7)
        rows = [rows[i] for i in rng.permutation(len(rows))]
        words = CountVectorizer(token_pattern=r"[\w']+", binary=binary)
        table = words.fit_transform([VIEWS[view](row) for row in rows])
        labels = np.array([row.label for row in rows])
        fitted = LogisticRegression(C=0.1, max_iter=500).fit(table[:6200], labels[:6200])
        accuracy = fitted.score(table[6200:], labels[6200:])
        assert accuracy < 0.55, f"{skill}: {accuracy:.3f} from the {view}"


def test_the_number_of_shared_words_says_little() -> None:
    for skill in ("mood", "meaning", "follows"):
        rows = [row for task in SUITE if task.skill == skill for row in suite_rows(task.name)[0]]
        shared = np.array([[len({*r.sentence1.lower().rstrip(".").replace(",", "").split()}
                                & {*r.sentence2.lower().rstrip(".").replace(",", "").split()})] for r in rows])
        labels = np.array([row.label for row in rows])
        best = max(max(np.mean((shared[:, 0] >= cut) == labels), np.mean((shared[:, 0] < cut) == labels))
                   for cut in range(12))
        assert best < 0.58, f"{skill}: {best:.3f} from the number of shared words"
