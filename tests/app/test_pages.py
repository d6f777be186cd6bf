"""Every page in every state it can meet: empty, running, finished, failed, wrong link. No page ever raises."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from app.show import frames
from compt_core.errors import DiskError, StoreError
from compt_core.methods.table import METHODS
from compt_core.runs.record import State
from compt_core.training.events import Outcome

PAGES = ("home", "learn", "data", "launch", "runs", "accuracy", "attention", "gates", "studies", "whatif", "space")
OF_AN_EXPERIMENT = ("runs", "accuracy", "attention", "gates", "whatif", "space")
RESULTS = ("accuracy", "attention", "gates", "whatif", "space")


def words(app: AppTest) -> str:
    """All prose of a page."""
    parts = (app.title, app.header, app.markdown, app.caption, app.error, app.info)
    return "\n".join(element.value for part in parts for element in part)


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store_says_what_to_do_next(visit, page):
    app = visit(page)
    assert not app.exception and not app.error
    if page in OF_AN_EXPERIMENT:
        assert [link.value for link in app.page_link] == ["Launch an experiment", "Run the demo on Home"]
        assert len(app.header) == 1
    assert page != "home" or "There are none yet." in words(app)


@pytest.mark.parametrize("state", ["queued", "running", "finished", "failed"])
@pytest.mark.parametrize("page", PAGES)
def test_no_page_raises_in_any_state(visit, lab, page, state):
    identity = getattr(lab, state)()
    app = visit(page, exp=identity)
    assert not app.exception
    if page in OF_AN_EXPERIMENT:
        assert app.selectbox(key="pick_experiment").value == identity
        assert "Backbone **demo**" in words(app) and "suite **glue**" in words(app)
    if page in RESULTS and state != "finished":
        assert next(link.value for link in app.page_link) == "Look at the runs"


@pytest.mark.parametrize("page", OF_AN_EXPERIMENT)
@pytest.mark.parametrize("link", [{"exp": "zzzzzzzzzz"}, {"run": "zzzzzzzzzz"}, {"exp": "<b>x</b>"}, {"exp": "a" * 99}])
def test_a_wrong_link_is_one_sentence_with_a_way_out(visit, lab, page, link):
    good = lab.finished()
    app = visit(page, **link)
    assert not app.exception
    assert len(app.error) == 1 and app.error[0].value.startswith("This link ")
    app.button[0].click().run()
    assert not app.exception and not app.error
    assert app.selectbox(key="pick_experiment").value == good
    assert app.query_params["exp"] == good


@pytest.mark.parametrize("page", ["attention", "gates"])
def test_a_run_without_shared_prompts_is_a_wrong_link_here(visit, lab, store, page):
    identity = lab.finished()
    run = next(run for run in store.runs(identity) if run.method == "pt")
    app = visit(page, exp=identity, run=run.id)
    assert not app.exception
    assert len(app.error) == 1 and run.id in app.error[0].value


def test_a_run_link_opens_its_experiment(visit, lab, store):
    first = lab.finished()
    lab.finished(seeds="1")
    run = next(run for run in store.runs(first) if run.method == "scp")
    app = visit("attention", run=run.id)
    assert app.query_params["exp"] == first
    assert app.selectbox(key="pick_run").value == run.id


def test_the_chosen_experiment_is_the_url_and_stays_from_page_to_page(visit, lab):
    older, newer = lab.finished(), lab.finished(seeds="1")
    app = visit("accuracy")
    assert app.query_params["exp"] == newer
    app.selectbox(key="pick_experiment").select(older).run()
    assert app.query_params["exp"] == older
    app.query_params.clear()
    app.switch_page("../pages/gates.py").run()
    assert app.query_params["exp"] == older


def test_home_lists_what_was_trained(visit, lab):
    lab.finished()
    lab.queued()
    app = visit("home")
    assert [link.value for link in app.page_link] == [
        "Choose the settings", "Take the tour", "Progress", "Progress", "Accuracy", "Attention"]
    assert "4 completed" in words(app) and "4 queued" in words(app)


def test_runs_shows_progress_without_claiming_the_end(visit, lab):
    app = visit("runs", exp=lab.running())
    table = app.dataframe[0].value
    assert list(table["state"]) == ["◐ training"] * 4
    assert table["progress"].max() == pytest.approx(100 * 4 / 9)
    assert app.progress[0].value == 44
    assert app.progress[0].text == "4 runs: 4 running. Time left: measuring …"
    assert len(app.get("vega_lite_chart")) == 1


def test_runs_links_to_attention_and_gates_only_where_there_are_any(visit, lab):
    links = [link.value for link in visit("runs", exp=lab.finished()).page_link]
    assert {"Accuracy", "Attention", "Gates", "What-if"} <= {*links}
    links = [link.value for link in visit("runs", exp=lab.finished(methods=["pt", "mpt"])).page_link]
    assert {"Accuracy", "What-if"} <= {*links} and not {"Attention", "Gates"} & {*links}


def test_runs_shows_the_place_in_the_queue(visit, lab):
    lab.queued()
    app = visit("runs", exp=lab.queued(seeds="1"))
    assert "4 runs of this experiment wait; 4 other runs come first." in words(app)


def test_runs_shows_why_runs_failed_and_no_traceback(visit, lab, store):
    identity = lab.failed("Something <b>odd</b> in *this* run.")
    app = visit("runs", exp=identity)
    assert len(app.error) == 1  # one message for four equal failures
    assert r"\<b\>odd\</b\>" in app.error[0].value and r"\*this\*" in app.error[0].value
    assert app.error[0].proto.title == "All 4 runs failed"
    assert "Change the settings and launch again" in [link.value for link in app.page_link]
    assert "ValueError" not in words(app)
    assert "Traceback" not in words(app) and store.runs(identity)[0].traceback is not None


def test_cancelled_runs_promise_nothing(visit, lab, store):
    identity = lab.queued()
    for run in store.runs(identity):
        store.request(run.id, "cancel")
    for page in RESULTS:
        app = visit(page, exp=identity)
        assert "All 4 runs were cancelled." in words(app) and "appear" not in words(app)
        assert [link.value for link in app.page_link] == ["Look at the runs", "Launch an experiment"]


def test_losses_of_several_shot_counts_are_apart_on_one_scale(visit, lab):
    app = visit("runs", exp=lab.finished(shots="8,16"))
    specs = [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]
    assert [spec["title"] for spec in specs] == ["8 shots", "16 shots"]
    ends = [spec["layer"][0]["encoding"]["y"]["scale"]["domain"] for spec in specs]
    assert ends[0] == ends[1]
    assert "a figure per shot count; all 8 runs." in words(app) and "so far" not in words(app)


def test_accuracy_says_how_it_stands_to_the_untrained_backbone_and_how_coarse_it_is(visit, lab):
    text = words(visit("accuracy", exp=lab.finished()))
    assert "Above the untrained backbone (no prompt: 45.0, mean over tasks), in points: PT by " in text
    assert "Few dev rows (20 in 3 tasks): one row is 5.0 points of accuracy." in text and "seeds only" not in text


def test_runs_shows_the_log_when_it_is_opened(visit, lab):
    app = visit("runs", exp=lab.running())
    assert not app.code
    app.session_state["log"] = True
    app.run()
    assert "Run 0 has trained." in app.code[0].value


def test_cancel_ends_queued_runs_and_asks_running_ones(visit, lab, store):
    identity = lab.running()
    waiting = lab.queued()
    app = visit("runs", exp=waiting)
    app.button(key="cancel").click().run()
    assert {run.state for run in store.runs(waiting)} == {State.CANCELLED}
    app = visit("runs", exp=identity)
    one = store.runs(identity)[2].id
    app.selectbox(key=f"which-{identity}-0").select(one).run()
    app.button(key="cancel").click().run()
    assert [run.request for run in store.runs(identity)] == [None, None, "cancel", None]
    assert "cancelling" in " ".join(app.dataframe[0].value["state"])


def test_runs_of_somebody_else_can_be_looked_at_only(visit, lab, store):
    identity = lab.queued(owner="ann")
    app = visit("runs", exp=identity)
    assert not app.button and "you can look, not touch" in words(app)


def test_interrupted_runs_are_queued_again_by_one_click(visit, lab, store):
    identity = lab.running()
    store.sweep()
    app = visit("runs", exp=identity)
    app.button(key="resume_all").click().run()
    assert {run.state for run in store.runs(identity)} == {State.QUEUED}


@pytest.mark.parametrize("mode", ["external", "off"])
def test_no_page_says_running_of_what_nobody_trains(visit, lab, store, trainer, monkeypatch, mode):
    monkeypatch.setenv("COMPT_WORKER", mode)
    identity = lab.running()
    store.request(store.runs(identity)[0].id, "cancel")
    app = visit("runs", exp=identity)
    assert "Resume" not in " ".join(button.label for button in app.button)
    trainer.release()  # as by a kill
    app.run()
    assert any(button.label == "Resume 3 runs" for button in app.button)
    assert [str(run.state) for run in store.runs(identity)] == ["cancelled"] + 3 * ["interrupted"]


def test_a_page_that_cannot_end_what_nobody_trains_is_shown_all_the_same(visit, lab, store, trainer, monkeypatch):
    identity = lab.running()
    trainer.release()

    def full(*_):
        raise DiskError("The store cannot be written: database or disk is full.")

    monkeypatch.setattr(type(store), "sweep", full)
    app = visit("runs", exp=identity)
    assert not app.exception and not app.error and len(app.dataframe[0].value) == 4


def test_home_offers_to_resume_what_was_interrupted(visit, lab, store):
    lab.finished()
    identity = lab.running()
    store.sweep()
    app = visit("home")
    app.button(key=f"resume-{identity}").click().run()
    assert {run.state for run in store.runs(identity)} == {State.QUEUED}
    assert not any((button.key or "").startswith("resume-") for button in app.button)


def test_running_ones_are_paused_at_once_and_failed_ones_run_again(visit, lab, store):
    identity = lab.running()
    app = visit("runs", exp=identity)
    app.button(key="pause_all").click().run()
    assert [run.request for run in store.runs(identity)] == ["pause"] * 4
    assert not any(button.key == "pause_all" for button in app.button)
    for run in store.runs(identity):
        store.finish(run.id, Outcome("failed", error=ValueError("no room")))
    app = visit("runs", exp=identity)
    assert "ValueError: no room" in app.code[0].value
    app.button(key="retry").click().run()
    assert {(run.state, run.error_type) for run in store.runs(identity)} == {("queued", None)}


def test_a_click_that_the_store_refuses_is_told_in_its_sentence(visit, lab, store, monkeypatch):
    identity = lab.running()
    store.sweep()
    app = visit("runs", exp=identity)

    def locked(*_):
        raise StoreError("The store cannot be used: database is locked.")

    monkeypatch.setattr(type(store), "requeue", locked)
    app.button(key="resume_all").click().run()
    told = [error.value.replace("\\", "") for error in app.error]  # escaped for Markdown
    assert told == ["The store cannot be used: database is locked."]
    assert not app.exception and {run.state for run in store.runs(identity)} == {State.INTERRUPTED}
    assert not app.run().error


def test_deleting_asks_and_leads_to_what_is_left(visit, lab, store):
    other, identity = lab.finished(), lab.queued()
    app = visit("runs", exp=identity)
    assert not any(button.key == "delete" for button in app.button)
    app.checkbox(key=f"sure-{identity}-0").check().run()
    app.button(key="delete").click().run()
    assert [record.id for record in store.experiments()] == [other]
    assert not app.exception and not app.error
    done, = app.success  # the page shows another experiment, and says why
    assert f"{identity} is deleted, with 4 runs." in done.value.replace("\\", "") and not app.run().success
    app = visit("runs", exp=other)
    app.checkbox(key=f"sure-{other}-0").check().run()
    app.selectbox(key=f"which-{other}-0").select(store.runs(other)[0].id).run()
    app.button(key="delete").click().run()
    assert len(store.runs(other)) == 3 and not app.exception and app.success[0].value.startswith("1 run is deleted")
    assert not app.checkbox(key=f"sure-{other}-1").value  # a new menu, closed: the next click deletes nothing
    assert not any(button.key == "delete" for button in app.button)


def test_an_experiment_that_waits_moves_before_ones_others(visit, lab, store):
    lab.queued()
    identity = lab.queued()
    app = visit("runs", exp=identity)
    app.button(key="first").click().run()
    assert store.position(store.runs(identity)[0].id) == 0
    assert not any(button.key == "first" for button in app.button)


def test_runs_that_start_while_the_page_is_drawn(visit, lab, store, monkeypatch):
    identity, look_up = lab.queued(), type(store).experiment

    def then_claimed(self, wanted):
        record = look_up(self, wanted)
        self.claim()
        return record

    monkeypatch.setattr(type(store), "experiment", then_claimed)
    app = visit("runs", exp=identity)
    assert not app.exception and {run.state for run in store.runs(identity)} == {State.RUNNING}


def figure(app: AppTest, number: int = 0) -> dict:
    return json.loads(app.get("plotly_chart")[number].proto.spec)


def test_the_heatmap_shows_the_stored_numbers(visit, lab, store):
    identity = lab.finished(constant=("cola",))
    app = visit("accuracy", exp=identity)
    data = figure(app)["data"]
    assert data[0]["x"] == ["cola · accuracy", "cola · matthews", "sst2", "stsb · pearson", "stsb · spearman",
                            "<b>mean</b>", "<b>mean, chance = 0</b>"]
    assert len(data[0]["y"]) == 6 and data[0]["y"][4:] == ["majority", "no prompt"]
    for run, row in zip(store.runs(identity), data[0]["z"], strict=False):
        result = run.result
        stored = [value for metrics in result["tasks"].values() for value in metrics.values()]
        expected = [*stored, result["mean"], None]  # the mean with another zero has no colour
        assert row == [None if value is None else pytest.approx(100 * value, abs=1e-9) for value in expected]
    written = {(x, y): text for trace in data[1:]
               for x, y, text in zip(trace["x"], trace["y"], trace.get("text", trace["x"]), strict=True)
               if trace["mode"] == "text"}
    assert written["cola · accuracy", data[0]["y"][0]] == "60.0†"
    assert written["cola · matthews", data[0]["y"][0]] == "undef."
    assert written["<b>mean, chance = 0</b>", data[0]["y"][2]] == "31.0"
    assert "one run: no interval" in words(app) and "† predicts one label" in words(app)


def test_the_difference_is_centred_on_zero_and_leaves_the_baseline_out(visit, lab):
    app = visit("accuracy", exp=lab.finished(), view="mst")
    heat = figure(app)["data"][0]
    assert len(heat["y"]) == 3 and not any("MST" in name for name in heat["y"])
    assert heat["zmin"] == -heat["zmax"]
    assert heat["z"][1][2] == pytest.approx(20.0)  # SPP .7 against MST .5
    assert "ComPT (SPP) is 20.0 points above MST on this run" in words(app)


def test_views_of_one_metric_and_several_seeds_and_shots(visit, lab):
    app = visit("accuracy", exp=lab.finished(seeds="0-2", shots="8,16"), metric="matthews", shots="16")
    assert figure(app)["data"][0]["x"] == ["cola · matthews"]
    assert "n = 3 runs per cell" in words(app) and "95% t-interval" in words(app)


def test_a_view_that_the_next_experiment_does_not_have_falls_back(visit, lab):
    plain = lab.finished(tasks="sst2", methods="spp", shots="4,32")
    app = visit("accuracy", exp=lab.finished(shots="8,16"))
    for key, value in (("view", "mst"), ("shots", "16"), ("metric", "matthews")):
        app.get_by_key(key).set_value(value)
    app.run()
    assert figure(app)["data"][0]["x"] == ["cola · matthews"]
    app.selectbox(key="pick_experiment").select(plain).run()
    assert not app.exception
    assert figure(app)["data"][0]["x"] == ["sst2", "<b>mean</b>", "<b>mean, chance = 0</b>"]
    assert app.get_by_key("shots").value == "4"


def test_a_link_to_a_view_carries_ids_and_every_control_writes_it(visit, lab):
    app = visit("accuracy", exp=lab.finished(shots="8,16"))
    for key, value in (("view", "mst"), ("shots", "16"), ("metric", "matthews")):
        app.get_by_key(key).set_value(value)
    app.run()
    link = {name: app.query_params[name] for name in ("exp", "view", "shots", "metric")}
    assert link["view"] == "mst" and link["shots"] == "16" and link["metric"] == "matthews"
    again = visit("accuracy", **link)
    assert not again.exception and not again.error
    assert [again.get_by_key(key).value for key in ("view", "shots", "metric")] == ["mst", "16", "matthews"]
    again.get_by_key("view").set_value("scores").run()
    assert "view" not in again.query_params and again.query_params["shots"] == "16"


@pytest.mark.parametrize("wrong", [{"view": "Difference to MST"}, {"view": "spp"}, {"shots": "9"}, {"shots": "8 "},
                                   {"shots": ""}, {"metric": "<b>x</b>"}])
def test_a_wrong_view_is_one_sentence_with_a_way_out(visit, lab, wrong):
    identity = lab.finished(shots="8,16")
    app = visit("accuracy", exp=identity, **wrong)
    assert not app.exception and not app.get("plotly_chart")
    assert len(app.error) == 1 and app.error[0].value.startswith("This link names the ")
    app.button[0].click().run()
    assert not app.exception and not app.error and len(app.get("plotly_chart")) == 1
    assert not set(wrong) & set(app.query_params)


def test_the_view_stays_from_experiment_to_experiment(visit, lab):
    older = lab.finished()
    app = visit("accuracy", exp=lab.finished(seeds="1"), view="mst")
    app.selectbox(key="pick_experiment").select(older).run()
    assert app.get_by_key("view").value == "mst" and app.query_params["view"] == "mst"


def test_a_log_is_never_of_another_experiment(visit, lab):
    first, second = lab.failed("first"), lab.failed("second", seeds="1")
    app = visit("runs", exp=first)
    app.session_state["log"] = True
    app.run()
    assert "first" in app.code[0].value
    app.selectbox(key="pick_experiment").select(second).run()
    assert not app.exception and "second" in app.code[0].value


def test_missing_reference_rows_are_explained_and_appear_by_themselves(visit, lab, store):
    identity = lab.finished(references=False)
    app = visit("accuracy", exp=identity)
    assert not app.exception and "being scored" in words(app)
    assert len(figure(app)["data"][0]["y"]) == 4
    store.set_references(identity, store.experiment(lab.finished()).references)
    app.run()
    assert not app.exception and "reference rows" not in words(app)
    assert len(figure(app)["data"][0]["y"]) == 6


def test_the_attention_heatmap_has_a_row_per_task(visit, lab, store):
    identity = lab.finished()
    app = visit("attention", exp=identity)
    heat = figure(app)["data"][0]
    stored = next(run for run in store.runs(identity) if run.method == "spp").result["attention"]
    assert (heat["y"], heat["x"]) == (["cola", "sst2", "stsb"], ["s0", "s1"])
    assert heat["z"] == [[pytest.approx(weight) for weight in row] for row in stored]


def test_attention_at_a_step_and_over_seeds_by_link_and_by_hand(visit, lab, store):
    identity = lab.finished(seeds=[0, 1])
    app = visit("attention", exp=identity)
    assert not app.exception and "Entropy of a task's weights" in words(app)
    app = visit("attention", exp=identity, of="mean")
    assert "Mean over 2 seeds, their sources matched" in words(app)
    assert figure(app)["data"][1]["text"][0].startswith("0.") and "±" in figure(app)["data"][1]["text"][0]
    assert not app.get("select_slider")
    app = visit("attention", exp=identity, order="clustered")
    assert sorted(figure(app)["data"][0]["y"]) == ["cola", "sst2", "stsb"]
    run = frames.with_result(store.runs(identity), "attention")[0]
    app = visit("attention", run=run.id, step="2")
    assert figure(app)["data"][0]["z"][0] == [pytest.approx(0.2, abs=1e-3), pytest.approx(0.21, abs=1e-3)]
    assert app.select_slider(key="step").value == "2"
    app.select_slider(key="step").set_value("trained").run()
    assert figure(app)["data"][0]["z"] == [[pytest.approx(weight) for weight in row] for row in run.result["attention"]]
    for wrong in ({"step": "12345"}, {"of": "x"}, {"order": "<script>"}):
        app = visit("attention", exp=identity, **wrong)
        assert len(app.error) == 1 and "which this experiment does not have" in app.error[0].value


def test_what_accuracy_shows_can_be_taken_along(visit, lab):
    identity = lab.finished(seeds=[0, 1])
    app = visit("accuracy", exp=identity)
    buttons = {button.proto.label: button.proto for button in app.get("download_button")}
    assert set(buttons) == {"CSV", "LaTeX", "Report (HTML)", "Bundle (ZIP)"} and not app.exception


def test_gates_stand_beside_their_shares(visit, lab):
    app = visit("gates", exp=lab.finished())
    table = app.dataframe[0].value
    assert list(table["task"]) == ["cola", "sst2", "stsb"]
    assert list(table["private_share"]) == pytest.approx([0.2 / 0.7, 0.3 / 0.7, 0.4 / 0.7])
    assert "stsb leans most on its private prompt (70%" in words(app)


def test_names_that_a_visitor_chose_are_shown_as_text(visit, lab):
    hostile = "<img src=x> :red[hi] `x` **b** $a$"
    identity = lab.finished(backbone=hostile)
    for page in ("home", *OF_AN_EXPERIMENT):
        app = visit(page, exp=identity)
        assert not app.exception
        text = words(app)
        assert hostile not in text and r"\<img src=x\>" in text


def test_two_hundred_runs_fit_on_a_page(visit, lab):
    identity = lab.finished(seeds="0-49")
    app = visit("accuracy", exp=identity)
    assert not app.exception and "n = 50 runs per cell" in words(app)
    app = visit("runs", exp=identity)
    assert not app.exception and len(app.dataframe[0].value) == 200
    assert "the mean over seeds" in words(app)


def test_a_setting_of_the_environment_that_is_wrong_is_one_sentence(visit, monkeypatch):
    monkeypatch.setenv("COMPT_WORKER", "bogus")
    app = visit("runs")
    assert not app.exception and len(app.error) == 1 and "COMPT" in app.error[0].value


def test_a_home_that_cannot_be_used_is_one_sentence(visit, home, monkeypatch):
    (home / "file").write_text("no folder")
    monkeypatch.setenv("COMPT_HOME", str(home / "file"))
    app = visit("runs")
    assert not app.exception and len(app.error) == 1


@pytest.mark.parametrize("method", METHODS)
def test_every_page_shows_a_run_of_every_method_or_says_what_it_lacks(visit, lab, store, method):
    identity = lab.finished(methods=method)
    run = store.runs(identity)[0]
    for page in ("runs", "accuracy", "attention", "gates", "whatif", "space"):
        app = visit(page, exp=identity, run=run.id)
        assert not app.exception and not app.error, (page, app.error)
        said = " ".join(part.value for kind in (app.markdown, app.caption, app.info) for part in kind)
        if page in ("whatif", "space"):  # "" of a composed method is in every text
            assert METHODS[method].lacks in said, page
        if page in ("attention", "gates") and not METHODS[method].composed:
            assert METHODS[method].title in said and "ComPT (SPP)" in said, page
    cells = next(box for box in visit("accuracy", exp=identity).dataframe if "prompt length" in box.value)
    assert METHODS[method].title in cells.value["row"][0]
