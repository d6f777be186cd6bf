"""The What-if page over runs that really were trained: controls write the link, the link alone gives the view."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from app.whatif import editing, effects, flips, seeds
from compt_core.runs.drain import drain
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.tasks.spec import Row
from compt_core.tasks.table import CATALOGUE, TASKS
from compt_core.whatif.change import Change
from compt_core.whatif.edit import ALL, Edit

RAW = {"tasks": "demo-rte,demo-stsb,demo-mnli", "methods": "pt,mst,spp,scp", "shots": "4", "seeds": "0,1", "steps": 3,
       "batch": 6, "sources": 3, "prompt_length": 4, "encoder_hidden": 5, "eval_rows": 15, "backbone": "demo",
       "normalizer": "softmax", "lr_attention": 0.9}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The home of a store with eight small runs."""
    folder = tmp_path_factory.mktemp("lab") / "home"
    store = Store(folder)
    drain(store, store.submit(build_experiment(RAW)), lambda ahead: None)
    store.close()
    return folder


@pytest.fixture
def opened(home, trained):
    """The store in this test's home, a copy of the trained one."""
    shutil.copytree(trained, home, dirs_exist_ok=True)
    store = Store(home)
    yield store
    store.close()


@pytest.fixture
def run_of(opened):
    return lambda method, seed=0: next(
        run.id for run in opened.runs(opened.experiments()[0].id) if (run.method, run.seed) == (method, seed))


def words(app):
    text = "\n".join(part.value for kind in (app.markdown, app.caption, app.info, app.error) for part in kind)
    return re.sub(r"\\(.)", r"\1", text)


def test_a_run_opens_as_trained_with_all_that_can_be_moved(visit, opened, run_of):
    app = visit("whatif")
    assert not app.exception and not app.error
    assert app.query_params["run"] == run_of("spp") and "edit" not in app.query_params
    assert "Nothing is changed: this is the run as trained." in words(app)
    mean = opened.run(run_of("spp")).result["mean"]
    assert f"Mean over 3 tasks: **{100 * mean:.1f}**" in words(app)
    drawn = {one.key for one in (*app.selectbox, *app.slider)}
    assert {"row-*", "alpha-*", "beta-*", "normalizer", "blend", "task"} <= drawn


def test_muting_a_source_goes_into_the_link_and_the_link_gives_the_same_page(visit, run_of, opened):
    app = visit("whatif", run=run_of("spp"))
    app.button_group(key="mute-*").select("s1").run()
    assert app.query_params["edit"] == "mute=s1" and "all tasks: source s1 muted" in words(app)
    linked = visit("whatif", run=run_of("spp"), edit="mute=s1")
    assert not linked.exception and not linked.error
    assert "all tasks: source s1 muted" in words(linked)
    assert "Mean over 3 tasks:" in words(linked) and "edited (" in words(linked)
    assert any(box.key == "renormalise" for box in linked.checkbox)
    linked.checkbox(key="renormalise").check().run()
    assert linked.query_params["edit"] == "mute=s1;renormalise=on"
    assert "s1 muted, the rest scaled up" in words(linked)


def test_a_gate_of_one_task_changes_that_task_alone_and_can_be_undone(visit, run_of):
    app = visit("whatif", run=run_of("spp"), task="demo-mnli")
    app.slider(key="alpha-demo-mnli").set_value(0.0).run()
    assert not app.exception and app.query_params["edit"] == "alpha:demo-mnli=0"
    assert "**demo-mnli**: the private prompt is left out (alpha 0)" in words(app)
    app.button(key="undo-0").click().run()
    assert "edit" not in app.query_params and "Nothing is changed" in words(app)


def test_weights_by_hand_rows_swaps_normaliser_and_blend_are_in_the_link(visit, run_of):
    app = visit("whatif", run=run_of("spp"), task="demo-rte")
    app.slider(key="weight-demo-rte-0").set_value(0.0).run()
    assert re.fullmatch(r"row:demo-rte=0,[\d.]+,[\d.]+", app.query_params["edit"])
    app.selectbox(key="row-demo-rte").select("demo-mnli").run()
    app.selectbox(key="private-demo-rte").select("demo-stsb").run()
    assert app.query_params["edit"].endswith("private:demo-rte=demo-stsb")
    app.checkbox(key="swap-demo-rte").check().run()
    app.selectbox(key="normalizer").select("sparsemax").run()
    app.selectbox(key="blend").select(run_of("spp", 1)).run()
    assert not app.exception and not app.error
    assert app.query_params["edit"] == ("normalizer=sparsemax;row:demo-rte=demo-mnli;private:demo-rte=demo-stsb;"
                                        f"private:demo-stsb=demo-rte;blend={run_of('spp', 1)},0.5")
    app.slider(key="blend-share").set_value(0.0).run()
    assert "blend" not in app.query_params["edit"]
    app.button(key="undo-all").click().run()
    assert "edit" not in app.query_params


def test_both_gates_at_0_is_a_sentence_and_nothing_is_lost(visit, run_of):
    app = visit("whatif", run=run_of("scp"), edit="alpha=0;beta=0")
    assert not app.exception and len(app.error) == 1
    assert "must leave something of the prompt" in app.error[0].value and app.query_params["edit"] == "alpha=0;beta=0"
    assert app.slider(key="alpha-*").value == 0  # the controls are there to mend it


@pytest.mark.parametrize("wrong", ["mute=s9", "nonsense", "blend=zzzzzzzzzz,.5", "x" * 5000])
def test_a_wrong_edit_in_a_link_is_one_sentence(visit, run_of, wrong):
    app = visit("whatif", run=run_of("spp"), edit=wrong)
    assert not app.exception and len(app.error) == 1 and not app.get("arrow_vega_lite_chart")


def test_an_edit_that_the_next_run_cannot_have_is_left_out_with_a_sentence(visit, run_of):
    app = visit("whatif", run=run_of("spp"), task="demo-rte")
    app.slider(key="beta-demo-rte").set_value(0.25).run()
    app.selectbox(key="pick_run").select(run_of("pt")).run()
    assert not app.exception and not app.error and "edit" not in app.query_params
    assert "do not fit this one and were dropped" in words(app)
    strange = visit("whatif", run=run_of("pt"), edit="beta=.25")  # from somebody else's link
    assert len(strange.error) == 1


def test_a_swap_of_private_prompts_is_all_that_pt_has_to_move(visit, run_of):
    app = visit("whatif", run=run_of("pt"), task="demo-rte")
    assert not any(one.key.startswith(("row-", "alpha-")) for one in (*app.selectbox, *app.slider))
    app.selectbox(key="private-demo-rte").select("demo-mnli").run()
    assert not app.exception and "Sentences whose answer changed" in [one.value for one in app.header]
    assert "Nothing" in words(visit("whatif", run=run_of("mst")))


def test_edits_are_saved_compared_opened_and_deleted(visit, run_of, opened):
    app = visit("whatif", run=run_of("spp"), edit="beta=0")
    app.text_input(key="edit_name").set_value("private <b>only</b>").run()
    app.button(key="save-edit").click().run()
    assert not app.exception and not app.error and "Saved edits" in [one.value for one in app.header]
    kept = opened.edits.of([run_of("spp")])
    assert [one.text for one in kept] == ["beta=0"] and set(kept[0].changes) == set(RAW["tasks"].split(","))
    app.text_input(key="edit_name").set_value("private <b>only</b>").run()
    app.button(key="save-edit").click().run()
    assert "already" in app.error[0].value
    elsewhere = visit("whatif", run=run_of("pt"))
    elsewhere.button(key=f"open-{kept[0].id}").click().run()
    assert elsewhere.query_params["edit"] == "beta=0" and elsewhere.query_params["run"] == run_of("spp")
    elsewhere.button(key=f"delete-{kept[0].id}").click().run()
    assert opened.edits.of([run_of("spp")]) == []


def test_the_same_edit_on_all_seeds_has_an_interval_over_seeds():
    each = pd.DataFrame({"seed": [0, 1, 2], "trained": [50.0] * 3, "edited": [49.0, 47, 45],
                         "change, points": [-1.0, -3, -5]})
    said = seeds.sentences(each)[0]
    assert "**-3.0 ± 5.0** points" in said and "includes 0" in said


def test_no_completed_run_is_an_empty_page(visit, lab):
    app = visit("whatif", exp=lab.running())
    assert not app.exception and not app.error
    assert next(link.value for link in app.page_link) == "Look at the runs"


def test_a_run_without_its_files_is_a_sentence(visit, opened, run_of):
    (opened.home / "artifacts" / run_of("spp") / "prompts.safetensors").unlink()
    app = visit("whatif", run=run_of("spp"))
    assert not app.exception and len(app.error) == 1 and "cannot be read" in app.error[0].value


@pytest.mark.parametrize(("edit", "over"), [
    (Edit(alpha={ALL: 0.0}), True), (Edit(normalizer="sigmoid"), True), (Edit(private={"a": "b"}), True),
    (Edit(rows={ALL: "uniform"}), True), (Edit(rows={"a": "b"}), True), (Edit(rows={"a": "s1"}), False),
    (Edit(rows={"a": (0.5, 0.5)}), False), (Edit(mute={ALL: (1,)}), False), (Edit(blend=("x", 0.5)), False)])
def test_what_names_a_source_is_not_the_same_in_another_seed(edit, over):
    assert editing.carries_over(edit) is over


def test_a_choice_for_all_takes_the_place_of_single_ones():
    edit = editing.put(editing.put(Edit(), "alpha", "a", 0.2), "alpha", ALL, 0.5)
    assert edit.alpha == {ALL: 0.5}
    assert editing.put(edit, "alpha", ALL, None) == Edit()


def test_private_prompts_are_given_swapped_and_taken_back():
    given = editing.private_of(Edit(), "a", "b")
    assert given.private == {"a": "b"}
    both = editing.swapped(given, "a", True)
    assert both.private == {"a": "b", "b": "a"} and editing.swapped(both, "a", False) == given
    assert editing.private_of(both, "a", "c").private == {"a": "c"}  # b has its own again
    assert editing.private_of(both, "a", "a") == Edit()
    assert editing.private_of(Edit(private={ALL: "b"}), "a", "a").private == {ALL: "b", "a": "a"}


def test_an_edit_for_all_shows_in_each_task_s_controls_and_one_can_be_taken_out(visit, run_of):
    app = visit("whatif", run=run_of("spp"), task="demo-rte", edit="row=uniform;private=demo-mnli")
    assert app.selectbox(key="row-demo-rte").value == "uniform"
    assert app.selectbox(key="private-demo-rte").value == "demo-mnli" and not app.checkbox(key="swap-demo-rte").value
    app.selectbox(key="row-demo-rte").select("trained").run()
    app.selectbox(key="private-demo-rte").select("demo-rte").run()
    assert not app.exception and not app.error
    assert app.query_params["edit"] == "row=uniform;row:demo-rte=trained;private=demo-mnli;private:demo-rte=demo-rte"


def test_an_edit_goes_along_to_another_seed_only_where_it_means_the_same(visit, run_of):
    app = visit("whatif", run=run_of("spp"), edit="mute=s1")
    app.selectbox(key="pick_run").select(run_of("spp", 1)).run()
    assert "edit" not in app.query_params and "s0 of one run is not s0 of another" in words(app)
    app = visit("whatif", run=run_of("spp"), edit="beta=0")
    app.selectbox(key="pick_run").select(run_of("spp", 1)).run()
    assert not app.error and app.query_params["edit"] == "beta=0"


def test_every_item_in_words_can_be_taken_back():
    edit = Edit(normalizer="sparsemax", rows={ALL: "uniform", "a": (0.1, 0.9)}, mute={"a": (0, 2)}, renormalise=True,
                private={"a": "b"}, alpha={"a": 0.0}, beta={ALL: 0.5}, blend=("abc", 0.25))
    found = editing.items(edit)
    assert len(found) == 8 and len({words for words, _ in found}) == 8
    assert all(len(editing.items(without)) == 7 for _, without in found)
    assert "a: the private prompt is left out (alpha 0)" in editing.sentence(edit)


def test_flipped_rows_say_what_became_of_them_those_that_became_wrong_first():
    rows = [Row((f"p{i}", f"h{i}"), i % 2, float(i % 2)) for i in range(4)]
    task = TASKS["demo-rte"]
    change = Change(task.name, "accuracy", 0.5, 0.5, -1, 1, (0, 3), (0,), (3,))
    table = flips.table(task, rows, change, np.array([1, 1, 0, 1]), np.array([0, 1, 0, 0]))
    assert list(table["row"]) == [3, 0] and list(table["what"]) == ["now wrong", "now right"]
    assert list(table[task.columns[0]]) == ["p3", "p0"] and table["edited"][0] == task.labels[0]


def test_effects_in_words_and_as_a_file():
    changes = [Change("demo-rte", "accuracy", 0.9, 0.5, -0.5, -0.3, (1, 2, 3), (1,), (2, 3)),
               Change("demo-mnli", "accuracy", 0.6, 0.6, -0.1, 0.1),
               Change("demo-stsb", "pearson", 0.4, None, -0.6, 0.1, (5,))]
    table = effects.table(changes, ["demo-mnli", "demo-rte", "demo-stsb"])
    assert list(table["verdict"]) == [effects.STILL, effects.WORSE, effects.UNTOLD]
    said = "\n".join(effects.sentences(table, changes, 60))
    assert "**63.3** as trained, **36.7** edited (-26.7 points)" in said
    assert "Worse on 1 of 3 tasks" in said and "demo\\-rte (-40.0)." in said
    assert "4 of 60 answers changed: 1 became right, 2 became wrong" in said
    assert "a bootstrap over rows for correlations" in effects.note(table, CATALOGUE)
    assert "undef." in json.dumps(effects.figure(table).to_dict())
