"""The Attention page: play, one weight in detail, the tasks' tree, a second run, and the data behind them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from app.attention import cells, playing, trees, versus
from app.show import courses, frames, weights
from compt_core.settings.presets import DEMO_TASKS
from compt_core.tasks.table import CATALOGUE


def words(app):
    return "\n".join(part.value for kind in (app.markdown, app.caption, app.info, app.error) for part in kind)


def charts_of(app):
    return {json.loads(chart.proto.spec)["data"][0]["type"]: chart.proto for chart in app.get("plotly_chart")}


@pytest.fixture
def runs(lab, store):
    return frames.with_result(store.runs(lab.finished(seeds=[0, 1, 2])), "attention")


def of(run, attention, tasks=("a", "b", "c", "d")):
    return weights.single(replace(run, result={**run.result, "attention": np.asarray(attention).tolist()},
                                  config={**run.config, "tasks": list(tasks)}, tasks=CATALOGUE))


# Play


def test_a_film_has_at_most_so_many_pictures_with_both_ends():
    steps = [str(i) for i in range(99)] + ["trained"]
    film = playing.pictures(steps)
    assert len(film) == playing.MOST == len(set(film)) and (film[0], film[-1]) == ("0", "trained")
    assert film == sorted(film, key=steps.index) and playing.pictures(steps[:7]) == steps[:7]


@pytest.mark.parametrize(("now", "first"), [("0", 1), ("4", 3), ("5", 4), ("trained", 0)])
def test_a_film_goes_on_from_the_step_on_screen_and_from_the_end_begins_anew(now, first):
    steps = ["0", "2", "4", "5", "6", "7", "trained"]
    assert playing.start(steps, now) == first


def test_play_moves_the_step_in_the_link_until_the_end_and_then_the_page_is_whole(visit, lab, store):
    identity = lab.finished()
    run = frames.with_result(store.runs(identity), "attention")[0]
    app = visit("attention", run=run.id, step="7")
    assert app.button(key="play").label == "Play"
    app.button(key="play").click().run()
    assert not app.exception and app.button(key="play").label == "Pause" and app.query_params["step"] == "8"
    assert app.select_slider(key="film_step").value == "8" and app.select_slider(key="film_step").disabled
    assert "with" not in [box.key for box in app.selectbox]  # what is said of one step is not said of a film
    app.run()
    assert not app.exception and app.button(key="play").label == "Play" and "step" not in app.query_params
    assert app.select_slider(key="step").value == "trained" and "Which tasks are alike" in app.header[1].value


def test_a_film_stops_where_it_is_paused(visit, lab, store):
    run = frames.with_result(store.runs(lab.finished()), "attention")[0]
    app = visit("attention", run=run.id)
    app.button(key="play").click().run()
    assert app.query_params["step"] == "0"
    app.button(key="play").click().run()
    assert app.button(key="play").label == "Play" and app.select_slider(key="step").value == "0"
    assert app.query_params["step"] == "0"
    app.run()
    assert app.select_slider(key="step").value == "0"


# One weight in detail


def test_a_cell_of_the_link_is_told_in_detail_and_framed(visit, lab, store):
    identity = lab.finished(seeds=[0, 1, 2])
    app = visit("attention", exp=identity, task="stsb", source="s0")
    stored = frames.with_result(store.runs(identity), "attention")[0].result["attention"]
    assert not app.exception and not app.error
    assert f"**stsb** gives source **s0** a weight of {stored[2][0]:.2f}. This is the smallest of its 2" in words(app)
    assert "Over 3 seeds the mean is" in words(app) and "Weight of stsb for source s0 over training" in words(app)
    shapes = json.loads(charts_of(app)["heatmap"].spec)["layout"]["shapes"]
    assert {round(shape["y0"] + 0.46) for shape in shapes} == {2}
    assert {round(shape["x0"] + 0.48) for shape in shapes} == {0}


def test_lists_choose_a_cell_without_a_mouse_and_the_link_follows(visit, lab):
    app = visit("attention", exp=lab.finished())
    assert "Click a cell above" in words(app) and "task" not in app.query_params
    app.selectbox(key="task").select("sst2").run()
    assert app.query_params["task"] == "sst2" and app.selectbox(key="source").value == "s1"  # its largest
    app.selectbox(key="source").select("s0").run()
    assert app.query_params["source"] == "s0" and "**sst2** gives source **s0**" in words(app)
    app.selectbox(key="task").select("none").run()
    assert "task" not in app.query_params and "Click a cell above" in words(app)


@pytest.mark.parametrize("wrong", [{"task": "nobody"}, {"task": "cola", "source": "s2"}, {"with": "zzzzzzzzzz"},
                                   {"task": "<script>"}, {"with": "<b>"}])
def test_a_wrong_part_of_a_link_is_one_sentence(visit, lab, wrong):
    app = visit("attention", exp=lab.finished(), **wrong)
    assert not app.exception
    assert len(app.error) == 1 and "which this experiment does not have" in app.error[0].value


def test_the_course_of_a_cell_is_that_of_the_task_with_the_sources_in_order():
    values = np.arange(2 * 3 * 4, dtype=float).reshape(2, 3 * 4)  # 2 steps, 3 tasks, 4 sources
    order = np.array([2, 0, 3, 1])
    found = cells.over_training([(np.array([0, 7]), values)], [order], task=1, tasks=3)
    assert list(found["step"]) == [0] * 4 + [7] * 4 and list(found["name"][:4]) == ["s0", "s1", "s2", "s3"]
    assert list(found["value"][:4]) == [6, 4, 7, 5] and found["half"].isna().all()


def test_a_course_over_seeds_has_intervals_and_only_the_common_steps():
    one = (np.array([0, 5, 9]), np.array([[1.0], [2.0], [3.0]]))
    two = (np.array([0, 9]), np.array([[1.0], [5.0]]))
    found = courses.course([one, two], ["s0"])
    assert list(found["step"]) == [0, 9] and list(found["value"]) == [1, 4] and list(found["n"]) == [2, 2]
    assert list(found["half"]) == [0, pytest.approx(12.706, rel=1e-3)]
    assert courses.course([], ["s0"]).empty


def test_details_name_the_tasks_that_lean_on_a_source_and_the_nearest(runs):
    drawn = of(runs[0], [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.2, 0.5, 0.3]])
    said = " ".join(cells.sentences(drawn, "a", 0, None))
    assert "source **s0** a weight of 0.70. This is the largest of its 3 weights; uniform would be 0.33" in said
    assert "lean most on s0: a 0.70, b 0.60 and d 0.20" in said and "nearest tasks by attention (cosine): b 0.9" in said
    even = " ".join(cells.sentences(of(runs[0], np.full((4, 3), 1 / 3)), "b", 1, None))
    assert "near uniform" in even and "lean most on s1" not in even


# The tree


def test_the_tree_says_what_merges_first_and_at_what_distance(runs):
    drawn = of(runs[0], [[1, 0.0], [0, 1], [0.9, 0.1], [0.3, 0.7]])
    found = trees.tree(drawn)
    left, right, distance = found.merges[0]
    assert {*left, *right} == {"a", "c"} and distance == pytest.approx(1 - 0.9 / np.hypot(0.9, 0.1))
    assert "**a** and **c** merge first, at distance 0.0061" in " ".join(trees.sentences(found, drawn)).replace(
        "**c** and **a**", "**a** and **c**")
    assert len(found.lines) == 3 and sorted(found.tasks) == ["a", "b", "c", "d"]
    assert found.tasks == tuple(weights.clustered(drawn))
    assert max(place for _, places in found.lines for place in places) <= 3


def test_near_uniform_weights_make_a_tree_that_says_so(runs):
    drawn = of(runs[0], [[0.5, 0.5], [0.51, 0.49], [0.48, 0.52], [0.5, 0.5]])
    said = trees.sentences(trees.tree(drawn), drawn)
    assert len(said) == 1 and "near uniform" in said[0]
    assert trees.tree(of(runs[0], [[1, 0], [0, 1]], tasks=("a", "b"))) is None


def test_the_tree_counts_nearest_tasks_of_one_family_against_chance(runs):
    drawn = of(runs[0], np.repeat(np.eye(3), 4, axis=0) + 0.01 * np.arange(12)[:, None], DEMO_TASKS)
    said = " ".join(trees.sentences(trees.tree(drawn), drawn))
    assert "12 of 12 tasks have their nearest task in their own family in this one run" in said
    assert "by chance it would be about 3.3" in said


def test_leaves_carry_their_family_in_words_and_colour(runs):
    figure = trees.figure(trees.tree(of(runs[0], np.eye(12)[:, :5] + 0.1, DEMO_TASKS)))
    leaves = figure.layout.yaxis.ticktext
    assert len(leaves) == 12 and all("color:#" in leaf for leaf in leaves)
    assert {leaf.split(">")[1].split("<")[0] for leaf in leaves} == {"sentiment", "paraphrase", "inference"}
    assert {trace.name for trace in figure.data if trace.mode == "markers"} == {"sentiment", "paraphrase", "inference"}
    hostile = trees.figure(trees.tree(of(runs[0], np.eye(3), ("<b>x", "y", "z"))))
    assert any("&lt;b&gt;x" in leaf for leaf in hostile.layout.yaxis.ticktext)


# Two runs


def test_a_run_that_only_numbers_its_sources_otherwise_is_alike(runs):
    base = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.5, 0.1, 0.4]])
    found = versus.compare(of(runs[0], base), of(runs[1], base[:, [2, 0, 1]]))
    assert np.array_equal(found.second.values, base) and found.apart == 0
    assert found.correlation == pytest.approx(1) and "The two are alike" in versus.sentences(found)[0]
    over_all = np.mean([np.abs(base - base[:, list(order)]).mean() for order in permutations(range(3))])
    assert found.unmatched == pytest.approx(over_all)


def test_what_differs_most_is_named_and_uniform_similarity_has_no_correlation(runs):
    one = of(runs[0], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], ("a", "b", "c"))
    two = of(runs[1], [[0.8, 0.2], [0.3, 0.7], [0.1, 0.9]], ("a", "b", "c"))
    said = versus.sentences(versus.compare(one, two))
    assert "most for **c** and source s0: 0.60 against 0.10" in said[0]
    even = versus.compare(one, of(runs[1], np.full((3, 2), 0.5), ("a", "b", "c")))
    assert even.correlation is None and "cannot be told" in versus.sentences(even)[-1]


def test_a_second_run_stands_beside_the_first_by_link_and_by_hand(visit, lab, store):
    identity = lab.finished(seeds=[0, 1])
    one, two, *_ = frames.with_result(store.runs(identity), "attention")
    app = visit("attention", exp=identity, run=one.id)
    assert len(app.get("plotly_chart")) == 2
    app.selectbox(key="with").select(two.id).run()
    assert app.query_params["with"] == two.id and len(app.get("plotly_chart")) == 5
    app = visit("attention", exp=identity, run=one.id, **{"with": two.id})
    specs = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")[2:]]
    assert [spec["data"][0]["zmax"] for spec in specs[:2]] == [1, 1]
    assert specs[2]["data"][0]["zmin"] == -specs[2]["data"][0]["zmax"]
    assert "The two are alike" in words(app)
    app.selectbox(key="pick_run").select(two.id).run()  # the second becomes the first
    assert not app.exception and not app.error and app.selectbox(key="with").value == "none"
    mean = visit("attention", exp=identity, run=one.id, of="mean", **{"with": two.id})
    assert not mean.exception and "part of the mean that is shown" in words(mean)


def test_the_numbers_are_there_to_read_and_to_take_along_once_they_are_asked_for(visit, lab):
    app = visit("attention", exp=lab.finished())
    assert not app.dataframe and not app.get("download_button")
    app.session_state["numbers"] = True
    app.run()
    assert [button.proto.label for button in app.get("download_button")] == ["CSV"]
    assert len(app.dataframe[0].value) == 3 * 2 and list(app.dataframe[0].value["task"][:2]) == ["cola", "cola"]


def test_rank_correlation_with_families_is_said(visit, lab):
    app = visit("attention", exp=lab.finished(tasks=list(DEMO_TASKS), sources=4))
    assert "Spearman's rank correlation between having similar weights and being of one family" in words(app)
    assert "Pearson's r is" in words(app)
