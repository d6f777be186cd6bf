"""The Accuracy page: tests over seeds, the curve over shots, and what stands behind a cell."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from app.show import frames, mistakes, readings
from app.show.mistakes import Answers, confusion, names, reading, table
from compt_core.analysis.answers import scored_rows
from compt_core.scoring.statistics import holm, paired
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import Row
from compt_core.tasks.table import TASKS
from compt_core.training.events import Outcome

MNLI = TASKS["mnli"]  # three labels


def words(app) -> str:
    return "\n".join(element.value for part in (app.markdown, app.caption, app.info) for element in part)


def answers(predicted, gold=(0, 1, 2, 1, 0), task=MNLI) -> Answers:
    rows = tuple(Row((f"premise {i}", f"hypothesis {i}"), round(value), float(value)) for i, value in enumerate(gold))
    return Answers(task, rows, np.array(predicted))


def test_the_matrix_counts_right_answers_by_given_ones():
    cells = confusion(answers([[0, 2, 2, 1, 1], [0, 2, 2, 2, 0]]))
    counts = {(cell.row, cell.column): cell.value for cell in cells.itertuples()}
    a, b, c = MNLI.labels
    assert counts == {(a, a): 3, (a, b): 1, (a, c): 0, (b, a): 0, (b, b): 1, (b, c): 3, (c, a): 0, (c, b): 0, (c, c): 2}
    assert sum(counts.values()) == 10


def test_text_that_is_no_label_has_a_column_of_its_own():
    cells = confusion(answers([[0, -1, 2, 1, 0]]))
    assert list(dict.fromkeys(cells["column"])) == [*MNLI.labels, mistakes.UNREAD]
    assert cells[cells["column"] == mistakes.UNREAD]["value"].sum() == 1


def test_wrong_rows_come_with_their_texts_the_most_often_wrong_first():
    wrong = table(answers([[0, 2, 2, 1, 1], [0, 2, 2, 2, 0]]))
    assert list(wrong["wrong in"]) == [2, 1, 1]
    assert list(wrong[MNLI.columns[0]]) == ["premise 1", "premise 3", "premise 4"]
    assert list(wrong["right"]) == [MNLI.labels[1], MNLI.labels[1], MNLI.labels[0]]
    assert list(wrong["answered"]) == [MNLI.labels[2], MNLI.labels[2], MNLI.labels[1]]
    assert table(answers([[0, 1, 2, 1, 0]])).empty


def test_what_the_matrix_says_in_words():
    said = " ".join(reading(answers([[0, 2, 2, 1, 1], [0, 2, 2, 2, 0]]), "SPP on mnli"))
    assert "SPP on mnli: 4 of 10 answers over 2 seeds are wrong (5 dev rows)." in said
    assert f"“{MNLI.labels[2]}” where “{MNLI.labels[1]}” is right (3 times)" in said
    assert "1 row is wrong in every seed, 2 in none." in said
    assert "one answer to every row" in " ".join(reading(answers([[1, 1, 1, 1, 1]]), "x"))


def test_numbers_are_told_apart_in_whole_points():
    task = TASKS["stsb"]
    assert names(task) == ["0", "1", "2", "3", "4", "5"]
    given = answers([[0.4, 3.0, 4.6]], gold=(0.0, 1.2, 5.0), task=task)
    counts = {(cell.row, cell.column): cell.value for cell in confusion(given).itertuples() if cell.value}
    assert counts == {("0", "0"): 1, ("1", "3"): 1, ("5", "5"): 1}
    assert list(table(given)["off by"]) == [1.8] and "1 of 3 answers is 1 or more off" in reading(given, "x")[0]


def test_differences_carry_the_paired_test_and_its_correction_over_tasks(table_of):
    rng = np.random.default_rng(3)
    seeds = range(5)
    values = {(m, s, c): float(rng.normal(0.6 + 0.2 * (m == "spp" and c == "a"), 0.02))
              for m in ("pt", "spp") for s in seeds for c in ("a", "b", "c", frames.MEAN)}
    cells = frames.differences(table_of(values), "pt").set_index("column")
    own = {c: paired([values["spp", s, c] for s in seeds], [values["pt", s, c] for s in seeds]).p
           for c in ("a", "b", "c", frames.MEAN)}
    assert cells["p"].to_dict() == pytest.approx(own)
    corrected = holm([own[c] for c in ("a", "b", "c")])
    assert cells.loc[["a", "b", "c"], "corrected"].tolist() == pytest.approx(corrected)
    assert math.isnan(cells.loc[frames.MEAN, "corrected"])
    [said] = readings.tests(cells.reset_index(), "pt")
    assert said.startswith("ComPT (SPP) differs from PT on 1 of 3 task scores: a (+")


@pytest.fixture
def table_of():
    import pandas as pd

    return lambda values: pd.DataFrame([
        {"run": f"{m}{s}", "variant": m, "method": m, "shots": 8, "seed": s, "column": c,
         "metric": "accuracy", "value": value,
         "constant": False} for (m, s, c), value in values.items()])


def test_one_seed_has_no_test(visit, lab):
    app = visit("accuracy", exp=lab.finished(), view="pt")
    assert not app.exception and "paired t-test by seed" not in words(app)


def test_several_seeds_have_one(visit, lab):
    app = visit("accuracy", exp=lab.finished(seeds="0-2"), view="pt")
    text = words(app)
    assert not app.exception and "after Holm's correction" in text
    assert "differs from PT on" in text or "shown to differ from PT" in text
    assert " on 0 of " not in text


def test_the_curve_over_shots_reads_its_differences_aloud(visit, lab):
    app = visit("accuracy", exp=lab.finished(shots="8,16", seeds="0-2"))
    assert not app.exception and "By number of shots" in [one.value for one in app.header]
    said = "ComPT (SPP) minus PT, in points of the mean over tasks: +10.0 at 8° and +10.0 at 16° shots."
    assert said in words(app).replace("\\", "")
    assert "By number of shots" not in [one.value for one in visit("accuracy", exp=lab.finished()).header]


@pytest.fixture
def answered(lab, store, glue_dir):
    """A finished experiment whose label scores are stored: SST-2 answered wrongly by SPP's seed 1 alone."""
    identity = lab.queued(tasks="sst2,rte", methods="pt,spp", seeds="0,1", data_dir=str(glue_dir))
    digests = {task: load_task(TASKS[task], str(glue_dir)).digest for task in ("sst2", "rte")}
    for run in store.claim():
        store.started(run.id, 3, {"data": digests})
        scores = {}
        for task in ("sst2", "rte"):
            gold = np.array([row.label for row in load_task(TASKS[task], str(glue_dir)).dev])
            wrong = task == "sst2" and (run.method, run.seed) == ("spp", 1)
            scores[task] = -np.abs(np.arange(2)[None] - (1 - gold if wrong else gold)[:, None]).astype(np.float32)
        store.finish(run.id, Outcome("completed", result=lab.result(run.config), scores=scores))
    return identity


def test_behind_a_cell_stand_its_answers(visit, store, answered):
    app = visit("accuracy", exp=answered, task="sst2", method="spp")
    assert not app.exception and not app.error
    rows = len(scored_rows(store.runs(answered)[0], "sst2"))
    assert f"{rows} of {2 * rows} answers over 2 seeds are wrong" in words(app).replace("\\", "")
    figure = json.loads(app.get("plotly_chart")[-1].proto.spec)
    assert sum(map(sum, figure["data"][0]["z"])) == 2 * rows
    app.selectbox(key="seed").set_value("0").run()
    assert app.query_params["seed"] == "0" and "0 of" in words(app).replace("\\", "")
    assert app.success[0].value == "Every row is answered correctly here."
    app.selectbox(key="task").set_value("rte").run()
    assert app.query_params["task"] == "rte" and not app.exception


@pytest.mark.parametrize("wrong", [{"task": "mnli"}, {"task": "sst2", "method": "mst"}, {"task": "sst2", "seed": "7"}])
def test_a_wrong_cell_is_one_sentence(visit, answered, wrong):
    app = visit("accuracy", exp=answered, **wrong)
    assert not app.exception and len(app.error) == 1 and "which this experiment does not have" in app.error[0].value


def test_answers_that_cannot_be_read_are_explained(visit, lab):
    app = visit("accuracy", exp=lab.finished(), task="sst2")
    assert not app.exception and any("cannot be shown" in one.value for one in app.info)


def test_tasks_stand_by_family_or_clustered_by_attention(visit, lab):
    identity = lab.finished(tasks="rte,sst2,qnli,mrpc", seeds="0,1", sources=3)

    def columns(**link):
        app = visit("accuracy", exp=identity, metric="accuracy", **link)
        assert not app.exception and not app.error
        return json.loads(app.get("plotly_chart")[0].proto.spec)["data"][0]["x"]

    by_family = columns()
    assert by_family == ["rte", "qnli", "sst2", "mrpc · accuracy"]
    clustered = columns(order="clustered")
    assert sorted(clustered) == sorted(by_family) and clustered == ["rte", "sst2", "qnli", "mrpc · accuracy"]


def test_equal_gaps_in_all_seeds_prove_nothing(table_of):
    values = {(m, s, c): 0.5 + 0.25 * (m == "spp") for m in ("pt", "spp") for s in (0, 1) for c in ("a", frames.MEAN)}
    cells = frames.differences(table_of(values), "pt")
    assert cells["p"].isna().all() and (cells.loc[cells["column"] == "a", "corrected"] == 1).all()
    assert readings.tests(cells, "pt")[0].startswith("On none of 1 task score is ComPT (SPP) shown to differ from PT (")
    assert "+25.0 at 8°" in readings.by_shots(table_of(values))[0]


def test_a_seed_that_another_method_lacks_is_no_dead_link(visit, lab, store, answered):
    for run in store.runs(answered):
        if (run.method, run.seed) == ("pt", 1):
            store.delete(run.id)
    app = visit("accuracy", exp=answered, task="sst2", method="spp", seed="1")
    assert not app.error and app.query_params["seed"] == "1"
    app.selectbox(key="method").set_value("pt").run()
    assert not app.exception and not app.error and app.selectbox(key="seed").value == "0"


def test_answers_are_read_with_the_data_of_their_own_run(visit, store, answered, glue_dir):
    path = next(path for path in (glue_dir / "sst2").iterdir() if path.name.startswith(("dev", "validation")))
    whole = path.read_text()
    try:
        path.write_text("".join(whole.splitlines(keepends=True)[:-2]))
        app = visit("accuracy", exp=answered, task="sst2")
        assert not app.exception and any("are not those that run" in one.value.replace("\\", "") for one in app.info)
    finally:
        path.write_text(whole)
