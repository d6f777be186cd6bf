"""Which rows a run sees when: equal shares, whole epochs, no state."""

from collections import Counter

import pytest

from compt_core.planning.data import load_data
from compt_core.settings.config import RunConfig
from compt_core.training.plan import plan_run

TASKS = ("sst2", "mrpc", "rte")


def plan(backbone, glue_dir, **settings):
    config = RunConfig(**{"tasks": TASKS, "shots": 8, "batch": 7, "data_dir": str(glue_dir)} | settings)
    return plan_run(config, load_data(config.tasks, config.data_dir, backbone.files), backbone.tokenizer)


def test_a_batch_is_split_equally_and_the_remainder_goes_round(backbone, glue_dir):
    p = plan(backbone, glue_dir)
    per_task = [Counter(e.task for e in p.batch(step)) for step in range(6)]
    assert all(sum(c.values()) == 7 and max(c.values()) - min(c[k] for k in range(3)) <= 1 for c in per_task)
    assert sum(per_task, Counter()) == {0: 14, 1: 14, 2: 14}
    few = plan(backbone, glue_dir, batch=2)
    assert sum((Counter(e.task for e in few.batch(s)) for s in range(3)), Counter()) == {0: 2, 1: 2, 2: 2}


def test_every_epoch_shows_every_row_once(backbone, glue_dir):
    p = plan(backbone, glue_dir)
    seen = [e for step in range(12) for e in p.batch(step) if e.task == 1]  # 28 draws of 8 rows
    for epoch in range(3):
        assert len({id(e) for e in seen[8 * epoch : 8 * epoch + 8]}) == 8
    assert seen[:8] != seen[8:16]


def test_the_rows_of_a_step_need_no_state_and_follow_the_seed(backbone, glue_dir):
    p, again = plan(backbone, glue_dir), plan(backbone, glue_dir)
    assert again.batch(5) == p.batch(5)
    assert plan(backbone, glue_dir, seed=1).batch(0) != p.batch(0)
    assert plan(backbone, glue_dir, init_seed=1).batch(0) == p.batch(0)
    assert plan(backbone, glue_dir, seed=1, data_seed=0).batch(0) == p.batch(0)
    assert plan(backbone, glue_dir, method="pt", sources=5).batch(3) == p.batch(3)


@pytest.mark.parametrize(("settings", "steps"), [
    ({}, 52), ({"epochs": 1}, 4), ({"epochs": 0.1}, 1), ({"steps": 9}, 9), ({"select": "best"}, 39),
    ({"shots_per": "class"}, 103),
])
def test_the_number_of_steps(backbone, glue_dir, settings, steps):
    assert plan(backbone, glue_dir, **settings).steps == steps


def test_best_holds_rows_out_of_training(backbone, glue_dir):
    p = plan(backbone, glue_dir, select="best")
    assert [len(t) for t in p.train] == [6, 6, 6] and len(p.held_out) == 6
    assert not {e.row for e in p.held_out} & {e.row for t in p.train for e in t}
