"""Few-shot samples: balanced, apart from dev, the same each time, and moved by the seed of data alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compt_core.errors import ConfigError
from compt_core.settings.config import RunConfig
from compt_core.tasks.fewshot import hold_out, sample_dev, sample_shots, shots_of, total_steps
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import Row, TaskData
from compt_core.tasks.table import TASKS

NAMES = [task.name for task in TASKS.values()]


def made_up(name: str, per_label: int = 12, dev: int = 30) -> TaskData:
    """`per_label` training rows of every label (STS-B: that many in all), and `dev` dev rows."""
    task = TASKS[name]
    count = per_label if task.numeric else per_label * len(task.labels)
    rows = [Row((f"train {i}",) * len(task.columns), i % len(task.labels), float(i % len(task.labels)))
            for i in range(count)]
    others = [Row((f"dev {i}",) * len(task.columns), 0, 0.0) for i in range(dev)]
    return TaskData(task, tuple(rows), tuple(others), "")


def sample(data: TaskData, **settings: Any) -> tuple[Row, ...]:
    return sample_shots(data, RunConfig(**{"tasks": (data.task.name,), "shots": 8} | settings))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shots", [1, 2, 7, 12])
def test_samples_are_of_the_size_asked_for_balanced_and_without_repeats(name: str, shots: int) -> None:
    data = made_up(name)
    rows = sample(data, shots=shots)
    assert len(rows) == len(set(rows)) == shots
    assert set(rows) <= set(data.train)
    if not data.task.numeric:
        counts = Counter(row.label for row in rows)
        assert all(counts[label] >= shots // len(data.task.labels) for label in range(len(data.task.labels)))
        if shots % len(data.task.labels) == 0:
            assert len(set(counts.values())) == 1


@pytest.mark.parametrize("name", NAMES)
def test_shots_per_class_are_of_every_class(name: str) -> None:
    data = made_up(name)
    rows = sample(data, shots=5, shots_per="class")
    assert len(rows) == len(set(rows))
    if data.task.numeric:
        assert len(rows) == 5  # 26 candidates are no classes
    else:
        assert Counter(row.label for row in rows) == dict.fromkeys(range(len(data.task.labels)), 5)


def test_real_rows_are_sampled_apart_from_dev(glue_dir: Path) -> None:
    for name in ("rte", "cola", "stsb", "mnli"):
        data = load_task(TASKS[name], str(glue_dir))
        assert not {row.texts for row in sample(data, shots=48)} & {row.texts for row in data.dev}


def test_a_rare_label_is_taken_whole_and_the_rest_filled_up() -> None:
    rows = tuple(Row((f"a {i}", "b"), int(i < 2), float(i < 2)) for i in range(20))
    data = TaskData(TASKS["rte"], rows, rows[:1], "")
    assert Counter(row.label for row in sample(data, shots=10)) == {0: 8, 1: 2}


@given(st.integers(0, 2**32 - 1), st.integers(1, 24))
def test_the_same_seed_gives_the_same_rows_in_the_same_order(seed: int, shots: int) -> None:
    data = made_up("rte")
    assert sample(data, seed=seed, shots=shots) == sample(data, seed=seed, shots=shots)


def test_samples_are_the_same_in_every_process_and_version() -> None:
    """Written down once: whoever changes them changes every published number."""
    def numbers(rows: tuple[Row, ...]) -> list[int]:
        return [int(row.texts[0].split()[1]) for row in rows]

    assert numbers(sample(made_up("rte"), shots=5)) == [20, 0, 11, 13, 23]
    assert numbers(sample(made_up("stsb"), shots=3)) == [1, 3, 11]
    assert numbers(sample_dev(made_up("rte"), 4)) == [0, 5, 16, 25]


def test_the_seed_moves_the_sample_unless_data_has_its_own() -> None:
    data = made_up("rte")
    first = sample(data, seed=0)
    assert sample(data, seed=1) != first
    assert sample(data, seed=1, data_seed=0) == first
    assert sample(data, seed=0, data_seed=1) == sample(data, seed=1)
    assert sample(data, seed=0, init_seed=1) == first


@pytest.mark.parametrize("settings", [
    {"method": "pt"}, {"sources": 1}, {"prompt_length": 9}, {"init_seed": 5}, {"batch": 3}, {"steps": 1},
    {"tasks": ("cola", "rte")}, {"eval_rows": 3}, {"prefix": "native"}, {"select": "best"},
])
def test_nothing_but_shots_and_seed_moves_the_sample(settings: dict[str, Any]) -> None:
    assert sample(made_up("rte"), **settings) == sample(made_up("rte"))


def test_tasks_with_the_same_columns_are_sampled_apart() -> None:
    def numbers(name: str) -> list[str]:
        return [row.texts[0] for row in sample(made_up(name))]

    assert numbers("mrpc") != numbers("rte")


def test_shuffled_labels_keep_texts_and_counts_and_leave_other_tasks_alone() -> None:
    data = made_up("demo-echo")
    plain, shuffled = sample(data, shots=24), sample(data, shots=24, shuffle_labels=("demo-echo",))
    assert [row.texts for row in plain] == [row.texts for row in shuffled]
    assert Counter(row.label for row in plain) == Counter(row.label for row in shuffled)
    agree = sum(one.label == two.label for one, two in zip(plain, shuffled, strict=True))
    assert 4 < agree < 20 and all(row.value == row.label for row in shuffled)
    assert shuffled == sample(data, shots=24, shuffle_labels=("demo-echo",))
    assert sample(data, tasks=("demo-echo", "demo-mood"), shots=24, shuffle_labels=("demo-mood",)) == plain


def test_more_shots_contain_the_fewer_of_each_label() -> None:
    data = made_up("rte")
    assert set(sample(data, shots=4)) <= set(sample(data, shots=8)) <= set(sample(data, shots=16))


@pytest.mark.parametrize(("settings", "says"), [
    ({"shots": 37}, "must not exceed the training rows of task 'mnli' (36). Got 37 instead; choose fewer shots."),
    ({"shots": 13, "shots_per": "class"},
     "must not exceed the training rows of task 'mnli' per label (12). Got 13 instead; choose fewer shots."),
])
def test_more_shots_than_rows_are_an_error(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sample(made_up("mnli"), **settings)
    assert says in str(caught.value)
    assert [issue.field for issue in caught.value.issues] == ["shots"]


def test_as_many_shots_as_rows_are_all_of_them() -> None:
    data = made_up("mnli")
    assert set(sample(data, shots=36)) == set(sample(data, shots=12, shots_per="class")) == set(data.train)


def test_a_class_without_rows_has_no_shots_per_class() -> None:
    data = TaskData(TASKS["rte"], (Row(("a", "b"), 0, 0.0),) * 3, (), "")
    assert len(sample(data, shots=2)) == 2
    with pytest.raises(ConfigError, match=r"per label \(0\)"):
        sample(data, shots=1, shots_per="class")


# --- dev rows


def test_dev_rows_are_a_fixed_draw_in_their_own_order() -> None:
    data = made_up("rte", dev=30)
    ten = sample_dev(data, 10)
    assert len(set(ten)) == 10
    assert list(ten) == sorted(ten, key=data.dev.index)
    assert list(ten) != list(data.dev[:10])
    assert sample_dev(data, 10) == ten
    assert set(sample_dev(data, 4)) <= set(ten)
    assert sample_dev(data, None) == sample_dev(data, 30) == sample_dev(data, 31) == data.dev


def test_dev_rows_differ_between_tasks() -> None:
    assert [r.texts[0] for r in sample_dev(made_up("rte"), 10)] != [r.texts[0] for r in sample_dev(made_up("mrpc"), 10)]


# --- what follows from a sample


@pytest.mark.parametrize("count", [4, 5, 8, 17])
def test_held_out_rows_are_a_quarter_and_no_training_rows(count: int) -> None:
    rows = made_up("rte").train[:count]
    train, held_out = hold_out(TASKS["rte"], rows, seed=3)
    assert set(train) | set(held_out) == set(rows)
    assert len(train) + len(held_out) == count
    assert len(held_out) == count // 4


@pytest.mark.parametrize("name", ["rte", "mnli", "stsb"])
@pytest.mark.parametrize("shots", [4, 5, 8, 9, 13, 32])
def test_held_out_rows_are_of_several_labels_and_leave_some_of_each(name: str, shots: int) -> None:
    data = made_up(name, per_label=40)
    for seed in range(30):
        train, held_out = shots_of(RunConfig(tasks=(name,), shots=shots, seed=seed, select="best"), data)
        labels = Counter(row.label for row in held_out)
        wanted = min(len(held_out), len({row.label for row in (*train, *held_out)}))
        assert len(held_out) == shots // 4 and len(labels) >= (min(2, wanted) if data.task.numeric else wanted)
        if not data.task.numeric:
            assert {row.label for row in train} == set(range(len(data.task.labels)))
            assert max(labels.values()) - min(labels[label] for label in range(len(data.task.labels))) <= 1


@pytest.mark.parametrize(("counts", "held"), [
    ((6, 2), {0: 1, 1: 1}), ((7, 1), {0: 2}), ((15, 2), {0: 3, 1: 1}), ((30, 2), {0: 7, 1: 1}), ((9, 3), {0: 2, 1: 1}),
    ((8, 0), {0: 2}), ((2, 2, 4), {0: 1, 2: 1}), ((1, 1, 2), {2: 1}),
])
def test_a_rare_label_has_its_row_held_out_but_never_its_last(counts: tuple[int, ...], held: dict[int, int]) -> None:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    rows = [Row((str(i), ""), label, float(label)) for i, label in enumerate(labels)]
    found = {tuple(sorted(Counter(row.label for row in hold_out(TASKS["mnli"], rows, seed)[1]).items()))
             for seed in range(20)}
    either = {tuple(sorted(held.items()))} | ({((1, 1), (2, 1))} if counts == (2, 2, 4) else set())  # equals: by lot
    assert found == either


def test_held_out_values_spread_and_differ_where_they_can() -> None:
    def values(*of: float, seed: int) -> list[float]:
        rows = [Row((str(i), ""), round(value / 0.2), value) for i, value in enumerate(of)]
        return sorted(row.value for row in hold_out(TASKS["stsb"], rows, seed)[1])

    for seed in range(20):
        assert values(0, 0, 0, 5, 5, 5, 5, 5, seed=seed) == values(5, 0, 0, 0, 0, 0, 0, 0, seed=seed) == [0, 5]
        low, middle, high = values(*(x / 3 for x in range(12)), seed=seed)
        assert low < 4 / 3 <= middle < 8 / 3 <= high


def test_tasks_hold_out_rows_of_their_own_by_the_seed_of_data() -> None:
    def places(name: str, **settings: Any) -> list[str]:
        rows = shots_of(RunConfig(tasks=(name,), shots=8, select="best", **settings), made_up(name))
        drawn = [row.texts[0] for row in sample(made_up(name), **settings)]
        return [str(drawn.index(row.texts[0])) for row in rows[1]]

    names = ("rte", "qnli", "mrpc", "qqp", "paws", "cola")
    assert len({tuple(places(name, seed=seed)) for name in names for seed in range(2)}) > 6  # of 12 draws of 16 sets
    assert places("rte", seed=1) == places("rte", seed=5, data_seed=1)


@pytest.mark.parametrize(("settings", "rows", "steps"), [
    ({"epochs": 15, "batch": 16}, 8 * 32, 240), ({"epochs": 1, "batch": 16}, 17, 2),
    ({"epochs": 2.5, "batch": 4}, 8, 5), ({"epochs": 0.1, "batch": 100}, 5, 1), ({"steps": 7}, 1000, 7),
])
def test_steps_follow_from_rows_epochs_and_batch(settings: dict[str, Any], rows: int, steps: int) -> None:
    assert total_steps(RunConfig(tasks=("rte",), **settings), rows) == steps
