"""The ablation table on the What-if page, over runs that really were trained."""

from __future__ import annotations

import io
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from app.show.captions import plain
from app.whatif.ablation import figures, tables, words
from compt_core.runs.drain import drain
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.tasks.table import CATALOGUE
from compt_core.whatif.effects import PROBABILITY, SCORE, Ablation, Effects

TASKS = ("demo-rte", "demo-mnli")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The home of a store with two seeds of SPP, and PT."""
    folder = tmp_path_factory.mktemp("ablation") / "home"
    store = Store(folder)
    raw = {"tasks": ",".join(TASKS), "methods": "pt,spp", "shots": "4", "seeds": "0,1", "steps": 3, "batch": 4,
           "sources": 3, "prompt_length": 4, "encoder_hidden": 5, "eval_rows": 12, "backbone": "demo",
           "normalizer": "softmax", "lr_attention": 0.9}
    drain(store, store.submit(build_experiment(raw)), lambda ahead: None)
    store.close()
    return folder


@pytest.fixture
def run_of(home, trained):
    shutil.copytree(trained, home, dirs_exist_ok=True)
    store = Store(home)
    runs = store.runs(store.experiments()[0].id)
    store.close()
    return lambda method, seed=0: next(run.id for run in runs if (run.method, run.seed) == (method, seed))


def said(app):
    text = "\n".join(part.value for kind in (app.markdown, app.caption, app.info, app.error) for part in kind)
    return re.sub(r"\\(.)", r"\1", text)


def test_the_table_opens_by_link_with_its_reading_and_every_figure_in_words(visit, run_of):
    app = visit("whatif", run=run_of("spp"), part="ablation", measure=PROBABILITY, control="on")
    assert not app.exception and not app.error
    for part in ("Muting one source changes the log-probability beyond chance", "rank correlation of", "Control:",
                 "without the private prompts", "keeps its weight"):
        assert part in said(app), part
    figures_ = app.get("plotly_chart")
    assert len(figures_) == 4 and all(len(one.proto.alt) > 40 for one in figures_)
    assert [button.proto.label for button in app.get("download_button")] == ["CSV"]


def test_a_cell_is_a_link_and_leads_to_its_edit(visit, run_of):
    app = visit("whatif", run=run_of("spp"), part="ablation", renormalise="on")
    app.selectbox(key="task").select("demo-mnli").run()
    app.selectbox(key="source").select("s1").run()
    assert (app.query_params["task"], app.query_params["source"]) == ("demo-mnli", "s1")
    assert "**demo-mnli** gives **s1** a weight of" in said(app)
    app.button(key="open-edit").click().run()
    assert not app.exception and not app.error
    assert app.query_params["edit"] == "mute:demo-mnli=s1;renormalise=on" and "part" not in app.query_params
    assert "source s1 muted, the rest scaled up" in said(app)


def test_over_seeds_nothing_is_computed_before_it_is_asked_for(visit, run_of):
    app = visit("whatif", run=run_of("spp"), part="ablation", of="mean", measure=PROBABILITY)
    assert not app.exception and "2 tables of 2" in said(app) and "to be computed" in said(app)
    app.button(key="compute").click().run()
    assert not app.exception and not app.error
    assert "(mean over 2 runs and half of its 95% t-interval)" in said(app)
    assert list(app.dataframe[0].value["seed"]) == [0, 1] and not app.get("plotly_chart")


def test_a_run_without_attention_says_so(visit, run_of):
    app = visit("whatif", run=run_of("pt"), part="ablation")
    assert not app.exception and "PT has no sources" in said(app)


@pytest.mark.parametrize("wrong", [{"measure": "x"}, {"renormalise": "<b>"}, {"control": "1"}, {"task": "nobody"},
                                   {"of": "all"}, {"task": TASKS[0], "source": "s9"}])
def test_a_wrong_part_of_a_link_is_one_sentence(visit, run_of, wrong):
    app = visit("whatif", run=run_of("spp"), part="ablation", **wrong)
    assert not app.exception and len(app.error) == 1


# --- words, figures and files, of tables made up


def effects(change, p):
    change, p = np.array(change, dtype=float), np.array(p, dtype=float)
    return Effects(change, change - 0.01, change + 0.01, p)


def table(muted, p, weights=((0.7, 0.2, 0.1), (0.6, 0.4, 0.0)), shifted=None, private=(-0.1, -0.2),
          shared=(-0.3, 0.0)):
    one = np.zeros(2) + 1e-6
    return Ablation("abc", TASKS, ("accuracy", "accuracy"), False, np.array(weights), {SCORE: np.array([0.9, 0.8])},
                    {SCORE: effects(muted, p)}, None if shifted is None else {SCORE: effects(shifted, p)},
                    {SCORE: effects(private, one)}, {SCORE: effects(shared, one)})


FLAT = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))


def test_the_reading_names_what_matters_what_is_idle_and_what_is_loud():
    found = plain(words.reading(table([[0.0, -0.02, -0.3], [0.1, 0.0, 0.0]], [[0.9, 0.03, 1e-5], [1e-5, 1.0, 1.0]]),
                                SCORE))
    assert "beyond chance in 2 of 5 cells" in found and "Without the correction it would be 3" in found
    assert "1 cell with weight 0" in found
    assert "costs most: demo-rte without s2 (-30.0 points, weight 0.10)." in found
    assert "helps most: demo-mnli without s0 (+10.0 points, weight 0.60)." in found
    assert "of 3 weights above an even share" in found
    assert "2 can be muted" in found and "demo-rte s0 (weight 0.70, 0.0 points)" in found
    assert "1 weight below half of an even share still has an effect" in found
    assert "-15.0 points without the private prompts" in found and "-15.0 points without the shared part" in found


def test_a_change_that_is_told_but_tiny_is_nothing_to_speak_of():
    found = plain(words.reading(table([[0.0, 0.0, -0.004], [0.0, 0.0, 0.0]], [[1, 1, 1e-9], [1, 1, 1]]), SCORE))
    assert "beyond chance in 1 of 5 cells" in found and "costs most" not in found
    assert "none of the 1 weight below half" in found


def test_the_control_decides_what_the_correlation_shows():
    draw = np.random.default_rng(0)
    weights = draw.dirichlet(np.ones(3), 2)
    lost, other = -weights, -weights[:, ::-1] ** 2
    one = table(lost, FLAT, weights, shifted=lost / 3)
    assert "rank random moves about as well" in plain(words.ranks(one, SCORE))
    two = table(lost, FLAT, weights, shifted=np.where(weights == weights.max(1, keepdims=True), 0, other))
    assert "more than how far the prompt moves" in plain(words.ranks(two, SCORE))
    assert "rank random moves about as well" in plain(words.over_runs([one, one], SCORE))
    said_of_two = plain(words.over_runs([two, two, two], SCORE))
    assert "rank random moves less well" in said_of_two and " 2.00 ± 0.00." in said_of_two
    assert "Turn on the control" in plain(words.ranks(table(lost, FLAT, weights), SCORE))


def test_uniform_weights_are_said_to_have_no_order():
    flat = table([[-0.1, 0, 0.1], [0, -0.2, 0]], FLAT, np.full((2, 3), 1 / 3))
    assert "There is no order to compare" in plain(words.reading(flat, SCORE))
    assert "There is no order to compare in any" in plain(words.over_runs([flat, flat], SCORE))


def test_sources_that_stand_in_for_each_other_are_named():
    found = plain(words.parts(table([[0, 0, 0], [0, 0, 0]], FLAT), SCORE))
    assert "On demo-rte the shared part matters" in found and "no single source" in found


def test_a_muting_that_costs_more_than_the_whole_part_is_named():
    found = plain(words.parts(table([[-0.2, 0, 0], [-0.2, 0, 0]], [[1e-6, 1, 1]] * 2), SCORE))
    assert "On demo-mnli muting one source costs more than leaving out the whole shared part" in found


def test_a_run_of_one_part_only_has_no_columns_for_parts():
    one = replace(table([[0, 0, 0], [0, 0, 0]], FLAT), private_off=None)
    assert "cannot be switched off" in plain(words.parts(one, SCORE))
    assert list(pd.unique(tables.parts(one, SCORE, TASKS)["column"])) == [tables.SHARED_OFF]


def test_cells_are_marked_after_correction_and_never_minus_zero():
    one = table([[-0.3, -0.0001, 0.02], [0.1, 0.0, 0.0]], [[1e-5, 0.9, 0.04], [1.0, 1.0, 1.0]])
    frame = tables.cells(one, SCORE, TASKS[::-1])
    texts = [text for trace in figures.heatmap(frame, SCORE).data[1:] for text in trace.text]
    assert texts[3:] == ["-30.0*<br>±1.0", "+0.0<br>±1.0", "+2.0<br>±1.0"]
    assert "weight 0: muting changes nothing" in figures.heatmap(frame, SCORE).data[0].customdata[0][2]
    symbols = [symbol for trace in figures.points(frame, SCORE, CATALOGUE).data for symbol in trace.marker.symbol]
    assert sum(not symbol.endswith("-open") for symbol in symbols) == 1


def test_the_file_has_every_number():
    one = table([[-0.3, 0.0, 0.02], [0.1, 0.0, 0.0]], FLAT, shifted=[[0.01, 0.02, 0.03], [0.04, 0.05, 0.0]])
    found = pd.read_csv(io.StringIO(tables.download(one, TASKS).to_csv()))
    assert len(found) == 2 * 3 + 2 * 2 and found["score_change"][0] == -0.3 and found["weight"][1] == 0.2
    assert list(found["score_random_move"][:6]) == [0.01, 0.02, 0.03, 0.04, 0.05, 0.0]
    assert found["score_random_move"][6:].isna().all()
