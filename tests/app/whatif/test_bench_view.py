"""The sentence bench in the dashboard: picked and typed texts, the link, edits and their list, what is in the way."""

from __future__ import annotations

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.show.styles import LOOKS
from app.whatif.bench import sentence, side
from app.whatif.bench.prompts import Side
from compt_core.runs.drain import drain
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker
from compt_core.settings.config import build_experiment
from compt_core.tasks.files import load_task
from compt_core.tasks.table import TASKS
from compt_core.whatif.answer import Answer

NAMES = ("sst2", "mnli", "stsb")


@pytest.fixture(scope="module")
def lab_home(tmp_path_factory, tiny_t5, glue_dir):
    """(home, experiment): PT, MST and SPP trained for two steps on the tiny T5, by the real worker; read only."""
    home = tmp_path_factory.mktemp("bench") / "home"
    store = Store(home)
    own = store.submit(build_experiment({
        "tasks": ",".join(NAMES), "methods": "pt,mst,spp", "shots": 8, "steps": 2, "batch": 6, "encoder_hidden": 9,
        "sources": 2, "prompt_length": 3, "max_tokens": 60, "backbone": str(tiny_t5), "data_dir": str(glue_dir)}))
    done = drain(store, own, lambda records: None, worker=Worker(store, references=lambda config, tasks: {}))
    assert [run.state for run in done] == ["completed"] * 3
    store.close()
    return home, own


def script():
    import numpy as np
    import streamlit as st

    from app.show import captions
    from app.ui import services, state
    from app.whatif import bench
    from compt_core.errors import ComptError

    store = services.store()
    experiment = store.experiment(st.query_params["exp"])
    runs = store.runs(experiment.id)
    run = next(one for one in runs if one.method == st.query_params.get("method", "spp"))

    def edited(task):
        return None if task == "mnli" else np.full((2, 24), 0.5, dtype=np.float32)

    if said := state.complaint():
        st.error(captions.literal(said))
    try:
        bench.view(experiment, runs, run, edited if "edit" in st.query_params else None)
    except ComptError as error:
        st.error(captions.literal(error))


@pytest.fixture
def look(lab_home, monkeypatch):
    """Opens the bench as a link with these query parameters would."""
    monkeypatch.setenv("COMPT_HOME", str(lab_home[0]))

    def go(**query):
        app = AppTest.from_function(script, default_timeout=30)
        for name, value in {"exp": lab_home[1], **query}.items():
            app.query_params[name] = value
        return app.run()

    return go


def words(app) -> str:
    return "\n".join(one.value for part in (app.markdown, app.caption, app.info) for one in part).replace("\\", "")


def url(app, name):
    value = app.query_params.get(name)
    return value[0] if isinstance(value, list) else value


def shares(app) -> dict[str, list[float]]:
    """Prompt -> probabilities of the figure's bars."""
    bars = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
    return {name: [bar["x"][i] for bar in bars] for i, name in enumerate(bars[0]["y"])}


def row(task, number, glue_dir):
    return load_task(TASKS[task], str(glue_dir)).dev[number]


def field(app, start):
    return next(one for one in app.text_area if one.label == start)


def press(app, label):
    return next(one for one in app.button if one.label == label).click().run()


def test_a_dev_row_has_the_probabilities_of_the_stored_scores(look, lab_home, glue_dir):
    app = look(task="sst2", row="4")
    assert not app.exception and not app.error
    store = Store(lab_home[0])
    found = shares(app)
    assert list(found) == ["no prompt", "PT ●", "MST ■", "ComPT (SPP) (this run) ▲"]
    for run, name in zip(store.runs(lab_home[1]), list(found)[1:], strict=True):
        scores = store.scores(run.id)["sst2"][4].astype(float)
        assert found[name] == pytest.approx(np.exp(scores) / np.exp(scores).sum(), abs=1e-5)
    store.close()
    text = words(app)
    assert row("sst2", 4, glue_dir).texts[0] in text and "Dev row 4." in text
    assert f"The right answer is **{TASKS['sst2'].labels[row('sst2', 4, glue_dir).label]}**." in text
    assert "no completed run with" not in text  # methods that the experiment does not compare are not missed
    assert "One text proves nothing" in text


def test_the_edited_prompt_lies_beside_the_trained_one_where_it_changes_the_task(look):
    app = look(task="sst2", edit="1")
    assert not app.exception and "this run, edited" in shares(app) and "The edit moves the probability of" in words(app)
    other = look(task="mnli", edit="1")
    assert "this run, edited" not in shares(other) and "edit does not change this task" in words(other)
    flipped = look(task="sst2", edit="1", rows="flipped")
    assert not flipped.exception
    trained, edited = (np.array(shares(flipped)[name]).argmax() for name in ("ComPT (SPP) (this run) ▲",
                                                                             "this run, edited"))
    listed = [one for one in flipped.selectbox if one.key == "bench_list"]
    assert ("0 · (not in this list)" in listed[0].options[0]) == (trained == edited) if listed else trained == edited


def test_the_what_if_page_shows_it_with_its_edit(visit, lab_home, monkeypatch):
    monkeypatch.setenv("COMPT_HOME", str(lab_home[0]))
    app = visit("whatif", exp=lab_home[1], part="sentence", task="sst2", edit="alpha:sst2=0")
    assert not app.exception and not app.error and list(shares(app))[-1] == "this run, edited"
    app = visit("whatif", exp=lab_home[1], part="sentence", task="sst2", row="99")
    assert len(app.error) == 1 and "names the dev row '99'" in app.error[0].value


def test_numbers_have_a_panel_per_prompt_and_their_expected_value(look):
    app = look(task="stsb", lens="words")
    assert not app.exception and not app.error
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert len(spec["data"]) == 8 and len(spec["data"][0]["x"]) == 26
    assert "▼ marks the expected number" in words(app) and "change of the expected number" in \
        app.get("plotly_chart")[1].proto.spec
    assert {"expected", "most probable"} <= set(app.dataframe[0].value)
    for one in (*app.get("plotly_chart"), *app.dataframe):
        assert len(one.proto.alt) > 15


def test_rows_are_picked_by_number_and_from_the_wrong_ones_and_stand_in_the_link(look, lab_home, glue_dir):
    app = look(task="mnli")
    app.number_input(key="bench_number").set_value(7).run()
    assert url(app, "row") == "7" and row("mnli", 7, glue_dir).texts[0] in words(app)
    app.segmented_control(key="rows").set_value("wrong").run()
    assert url(app, "rows") == "wrong" and url(app, "row") == "7"
    store = Store(lab_home[0])
    run = next(one for one in store.runs(lab_home[1]) if one.method == "spp")
    dev = load_task(TASKS["mnli"], str(glue_dir)).dev
    wrong = [i for i, said in enumerate(store.scores(run.id)["mnli"].argmax(1)) if said != dev[i].label]
    store.close()
    options = [int(one.split(" · ")[0]) for one in app.selectbox(key="bench_list").options if "not in this" not in one]
    assert options == wrong
    app.selectbox(key="bench_list").set_value(wrong[-1]).run()
    assert url(app, "row") == str(wrong[-1]) and "wrong" in words(app)
    app.selectbox(key="bench_task").set_value("stsb").run()
    assert url(app, "task") == "stsb" and url(app, "row") is None and not app.exception and not app.error


def test_a_short_typed_text_is_a_link_and_a_long_one_is_not(look):
    app = look(task="mnli", row="3")
    field(app, "premise").set_value(" the baker\tfinds\n a river \x00")
    field(app, "hypothesis").set_value("a river is found")
    press(app, "Read this text")
    linked = [url(app, name) for name in ("text", "text2", "row")]
    assert linked == ["the baker finds a river", "a river is found", "3"]
    text = words(app)
    assert "Typed." in text and "The right answer to this text is not known here." in text
    same = look(task="mnli", text="the baker finds a river", text2="a river is found")
    assert shares(same) == shares(app)
    field(app, "premise").set_value("the baker " * 300)
    press(app, "Read this text")
    assert url(app, "text") is None and url(app, "text2") is None and url(app, "row") == "3"
    text = words(app)
    assert "premise was cut to its first 2,000 characters" in text and "999 characters" in text
    assert "longer than the 300 characters" in text and "max_tokens of 60 is not read" in text
    press(app, "Back to dev row 3")
    assert "Dev row 3." in words(app) and not app.exception


def test_another_task_puts_a_typed_text_away(look):
    app = look(task="mnli", text="one", text2="two")
    app.selectbox(key="bench_task").set_value("sst2").run()
    assert not app.error and url(app, "text") is None and "Dev row 0." in words(app)


@pytest.mark.parametrize(("query", "said"), [
    ({"row": "20"}, "names the dev row '20', which this experiment does not have"),
    ({"row": "-1"}, "names the dev row '-1'"),
    ({"row": "1e3"}, "names the dev row '1e3'"),
    ({"rows": "flipped"}, "names the choice of dev rows 'flipped'"),
    ({"lens": "<b>"}, "names the way to look '<b>'"),
    ({"task": "qqp"}, "names the task 'qqp'"),
    ({"text": "x" * 301}, "under ?text=. Got text of 301 characters instead"),
    ({"text": "\x07"}, "Got text of 1 character instead"),
    ({"text": "one", "text2": "two"}, "Got text of 3 characters, text2 of 3 characters instead"),
    ({"task": "mnli", "text": "one"}, "(premise, hypothesis), under ?text= and ?text2=. Got text of 3 characters"),
])
def test_a_wrong_link_is_one_sentence(look, query, said):
    app = look(**{"task": "sst2"} | query)
    assert not app.exception and len(app.error) == 1
    assert said in app.error[0].value.replace("\\", "")


def test_edits_grow_a_list_with_parents_that_is_a_file_too(look, glue_dir):
    app = look(task="sst2", row="2", edit="1")
    first = row("sst2", 2, glue_dir).texts[0]
    old = first.split()[1]
    app.selectbox(key=next(one.key for one in app.selectbox if one.label == "Word")).set_value(1).run()
    app.text_input(key="bench_by").set_value("=broken").run()
    press(app, "Replace")
    assert url(app, "text") == first.replace(old, "=broken", 1) and not app.error
    field(app, "sentence").set_value("a quiet river")
    press(app, "Keep it as an edit")
    press(app, "Back to dev row 2")
    press(app, "Replace")  # by nothing: its first word goes
    assert not app.exception and not app.error
    table = app.dataframe[-1].value
    assert list(table["variant"]) == [0, 1, 2, 3] and list(table["made from"]) == ["", "0", "1", "0"]
    assert table["what changed"][0] == "dev row 2" and table["what changed"][1] == f"{old} → =broken at word 2"
    assert table["what changed"][3] == f"{first.split()[0]} → (nothing) at word 1"
    measured = ("answer", "probability", "change")
    assert {*measured, *(f"{name} (edited)" for name in measured)} <= set(table)
    labels, parent, child = TASKS["sst2"].labels, table.loc[0], table.loc[1]
    said = {name: dict(zip(labels, shares(look(task="sst2", **query))["ComPT (SPP) (this run) ▲"], strict=True))
            for name, query in (("parent", {"row": "2"}), ("child", {"text": child["sentence"]}))}
    assert parent["probability"] == pytest.approx(said["parent"][parent["answer"]], abs=1e-6)
    change = said["child"][parent["answer"]] - said["parent"][parent["answer"]]
    assert child["change"] == pytest.approx(change, abs=1e-6) and np.isnan(parent["change"])
    app.selectbox(key="bench_variant").set_value(0).run()
    assert url(app, "text") is None and "Dev row 2." in words(app)
    app.selectbox(key="bench_variant").set_value(2).run()
    assert url(app, "text") == "a quiet river"
    app.text_input(key="bench_by").set_value("quiet").run()
    app.selectbox(key=next(one.key for one in app.selectbox if one.label == "Word")).set_value(1).run()
    press(app, "Replace")
    assert "must change the text" in app.error[0].value and len(app.dataframe[-1].value) == 4
    press(app, "Clear the list")
    assert "No edits yet." in words(app)


def test_words_left_out_and_nearest_rows_say_what_they_show(look, glue_dir):
    app = look(task="sst2", row="1", lens="words")
    text = row("sst2", 1, glue_dir).texts[0]
    table = app.dataframe[-1].value
    assert not app.exception and list(table["word"]) == [word for word in text.split() if word != "."]
    assert "With all words:" in words(app)
    app.segmented_control(key="lens").set_value("nearest").run()
    near = app.dataframe[-1].value
    assert url(app, "lens") == "nearest" and not app.exception and len(near) == 5
    train = {one.texts[0] for one in load_task(TASKS["sst2"], str(glue_dir)).train}
    assert set(near["sentence"]) <= train and near["cosine"].is_monotonic_decreasing
    assert "trained on 8 rows of this task" in words(app) and "The nearest one" in words(app)


def test_changed_data_leave_typed_texts(look, glue_dir):
    path = glue_dir / "sst2" / "dev.tsv"
    whole = path.read_text()
    try:
        path.write_text("".join(whole.splitlines(keepends=True)[:-2]))
        app = look(task="sst2", text="a quiet river", lens="nearest")
        assert not app.exception and not app.error and "no prompt" in shares(app)
        said = [one.value.replace("\\", "") for one in app.info]
        assert len(said) == 2 and all("are not those that run" in one for one in said)
        bare = look(task="sst2")
        assert not bare.exception and "Type a text" in words(bare)
        assert not bare.get("plotly_chart")
    finally:
        path.write_text(whole)


def test_another_backbone_is_one_sentence(look, tiny_t5):
    from compt_core.whatif.apply import _FOUND

    path = tiny_t5 / "config.json"
    whole = path.read_text()
    _FOUND.clear()
    try:
        path.write_text(whole + "\n")
        app = look(task="sst2")
        assert not app.exception and not app.get("plotly_chart")
        assert ["is not the one that this run was trained on" in one.value for one in app.info] == [True]
        path.unlink()
        app = look(task="sst2")
        assert not app.exception and ["cannot read texts" in one.value for one in app.info] == [True]
    finally:
        path.write_text(whole)
    assert not look(task="sst2").info
    path.unlink()
    try:  # it was the run's when it was loaded: nothing is asked for again
        assert "no prompt" in shares(look(task="sst2", row="5"))
    finally:
        path.write_text(whole)




def test_groups_in_words_follow_what_is_known():
    task, shown = TASKS["sst2"], Side({"no_prompt": np.zeros((0, 2)), "pt": np.zeros((1, 2))}, "pt", (), LOOKS)
    found = {"no_prompt": Answer(np.array([0.9, 0.1]), 0.0), "pt": Answer(np.array([0.2, 0.8]), 1.0)}
    assert side.words(task, shown, found, 1.0, typed=False) == [
        "The right answer is **positive**.", "**negative**, wrong: no prompt 0.90.",
        "**positive**, right: PT \\(this run\\) 0.80."]
    assert side.words(task, shown, found, None, typed=True)[0] == "The right answer to this text is not known here."
    assert sentence.fits_link(("x" * 300,)) and not sentence.fits_link(("x", "y" * 301))
