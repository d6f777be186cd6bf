"""The Prompt space page: cosines, norms, maps, ways over training, nearest pieces, and prompts from elsewhere."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save

from app.show import exports
from app.space import alike, imported, journeys, maps, nearby, view
from app.ui import uploads
from compt_core.analysis import projections
from compt_core.backbone import hub, vocabulary
from compt_core.backbone.load import find_backbone
from compt_core.composition import geometry
from compt_core.composition.geometry import Prompt
from compt_core.errors import DataError, StoreError
from compt_core.methods.table import METHODS
from compt_core.prompts import foreign
from compt_core.settings.presets import DEMO_TASKS
from compt_core.tasks.table import CATALOGUE

H = 64


def words(app):
    return "\n".join(part.value for kind in (app.markdown, app.caption, app.info, app.error) for part in kind)


def figure(app, key):
    """The Plotly figure whose widget has this key."""
    return json.loads(next(chart.proto.spec for chart in app.get("plotly_chart") if key in chart.proto.id),
                      object_hook=unpacked)


def unpacked(part):
    """Plotly's packed arrays as arrays."""
    if "bdata" not in part:
        return part
    shape = [int(side) for side in str(part["shape"]).split(",")] if "shape" in part else -1
    return np.frombuffer(base64.b64decode(part["bdata"]), dtype=part["dtype"]).reshape(shape)


def run_of(store, identity, method):
    return next(run for run in store.runs(identity) if run.method == method)


def prompts(group, count, length=3, scale=1.0, seed=0, owners="abcdefghijkl"):
    draw = np.random.default_rng([seed, *map(ord, group)])
    return [Prompt(group, owners[i], scale * draw.normal(size=(length, H))) for i in range(count)]


# What is compared, and what is said of it


def test_the_heatmap_holds_the_cosines_of_the_stored_prompts(visit, lab, store):
    run = run_of(store, lab.finished(), "spp")
    app = visit("space", run=run.id)
    stored = store.prompts(run.id)
    rows = np.concatenate([stored[name].reshape(len(stored[name]), -1) for name in ("source", "private", "composed")])
    expected = rows @ rows.T / np.outer(*[np.linalg.norm(rows, axis=1)] * 2)
    drawn = figure(app, "similarity")["data"]
    assert not app.exception
    np.testing.assert_allclose(drawn[0]["z"], expected, atol=1e-5)
    assert drawn[1]["text"][:2] == ["1", maps.short(expected[0, 1])]
    assert "as one direction of 192 numbers" in words(app)


def test_prompts_of_other_lengths_are_compared_by_their_means_and_it_is_said(visit, lab, store):
    run = run_of(store, lab.finished(), "scp")
    app = visit("space", run=run.id)
    assert "because their lengths differ (2 and 4 vectors)" in words(app)
    app.button_group(key="groups").set_value(["source", "private"]).run()
    assert "as one direction of 128 numbers" in words(app)
    app.button_group(key="by").set_value("mean").run()
    assert "by the mean of their vectors (64 numbers), as chosen" in words(app)


def test_groups_are_chosen_by_hand_and_by_link(visit, lab, store):
    run = run_of(store, lab.finished(), "spp")
    app = visit("space", run=run.id)
    assert "groups" not in app.query_params and len(figure(app, "similarity")["data"][0]["z"]) == 8
    app.button_group(key="groups").set_value(["private"]).run()
    assert app.query_params["groups"] == "private" and len(figure(app, "similarity")["data"][0]["z"]) == 3
    app.button_group(key="groups").set_value([]).run()  # none means all
    assert "groups" not in app.query_params and len(figure(app, "similarity")["data"][0]["z"]) == 8


@pytest.mark.parametrize("method", ["pt", "mst"])
def test_runs_of_one_part_can_be_looked_at(visit, lab, store, method):
    run = run_of(store, lab.finished(), method)
    app = visit("space", run=run.id)
    assert not app.exception and not app.error and app.selectbox(key="pick_run").value == run.id
    assert ("only one prompt" in words(app)) == (method == "mst")
    assert len(figure(app, "points_map")["data"][0]["x"]) == 3  # PT's three prompts, MST's three vectors


def test_a_wrong_part_of_a_link_is_one_sentence(visit, lab, store):
    run = run_of(store, lab.finished(), "spp")
    app = visit("space", run=run.id)
    for wrong in ({"groups": "nobody"}, {"by": "x"}, {"map": "umap"}, {"points": "<b>"}, {"prompt": "composed x"},
                  {"map": "tsne", "points": "vectors", "perplexity": "1000"}, {"near": "taste"}, {"with": "zzz"},
                  {"foreign": "../../etc"}, {"foreign": "f" * 32}):
        app.query_params.clear()
        for name, value in {"run": run.id, **wrong}.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception and len(app.error) == 1, wrong
        assert app.error[0].value.startswith("This link names "), wrong


def test_sentences_name_the_source_beyond_chance_and_no_other():
    sources, private = prompts("source", 3), prompts("private", 4)
    private[2] = Prompt("private", "c", private[2].vectors - 0.5 * sources[1].vectors)
    said = " ".join(alike.sentences(alike.compare([*sources, *private], True, CATALOGUE)))
    assert "1 of 4 private prompts has a cosine beyond ±0.17 with a source" in said and "c with b (-0." in said


def test_families_are_told_apart_by_the_mean_cosine_and_mantels_test():
    centres = {family: np.random.default_rng(i).normal(size=(3, H)) for i, family in enumerate("xyz")}
    own = [Prompt("composed", task, centres["xyz"[i // 4]] + one.vectors)
           for i, (task, one) in enumerate(zip(DEMO_TASKS, prompts("composed", 12), strict=True))]
    said = " ".join(alike.sentences(alike.compare(own, True, CATALOGUE)))
    shown = alike.compare(own, True, CATALOGUE).cosines
    same = np.equal.outer(np.arange(12) // 4, np.arange(12) // 4)
    within, between = shown[same & ~np.eye(12, dtype=bool)].mean(), shown[~same].mean()
    assert f"**{within:.2f}** within a family of tasks and **{alike.two(between)}** between" in said
    assert "beyond chance" in said
    mixed = " ".join(alike.sentences(alike.compare([Prompt("composed", task, one.vectors) for task, one in
                                                    zip(DEMO_TASKS, prompts("composed", 12), strict=True)], True,
                                                   CATALOGUE)))
    assert "not beyond chance" in mixed


def test_prompts_of_one_and_of_seven_hundred_can_both_be_read():
    own = [*prompts("private", 3), *prompts("imported", 3, scale=700)]
    alone = alike.compare([*prompts("private", 3), *prompts("imported", 3)], True, CATALOGUE)
    shown = alike.compare(own, True, CATALOGUE)
    np.testing.assert_allclose(shown.cosines, alone.cosines, atol=1e-12)
    np.testing.assert_allclose(projections.pca(shown.values).points, projections.pca(alone.values).points, atol=1e-9)
    table = alike.sizes(own)
    assert table["norm"].iloc[0] == pytest.approx(8, rel=0.2) and table["norm"].iloc[3] == pytest.approx(5600, rel=0.2)
    drawn = json.dumps(maps.norms(table, (1.0, 2.0, 3.0)).to_dict())
    assert '"type": "log"' in drawn and "imported c" in drawn
    assert "Imported: the vectors of 3 prompts have a norm of 5," in " ".join(alike.size_sentences(table, None))
    assert "e-09 times the size of a word's embedding" in " ".join(alike.size_sentences(table, (1.0, 1e9, 2e9)))


def test_zeros_stay_off_the_logarithmic_axis_and_it_is_said():
    table = alike.sizes([Prompt("private", "a", np.zeros((2, H))), *prompts("source", 1)])
    assert "private a" not in json.dumps(maps.norms(table, None).to_dict()["datasets"])
    assert "1 prompt of zeros cannot be shown" in " ".join(alike.size_sentences(table, None))


def test_hostile_names_are_text_in_every_figure():
    own = [Prompt("imported", "<img src=x onerror=alert(1)>", one.vectors) for one in prompts("imported", 2)]
    shown = alike.compare([*own, *prompts("private", 2)], True, CATALOGUE)
    points = [maps.Point(one) for one in shown.prompts]
    course = np.zeros((2, 4, 2))
    for drawn in (maps.similarity(shown.prompts, shown.cosines),
                  maps.scatter(projections.pca(shown.values), points, CATALOGUE),
                  maps.paths(course, (0.5, 0.5), shown.prompts, (0, 1), None)):
        assert "<img" not in drawn.to_json() and "&lt;img" in drawn.to_json().replace("\\u003c", "<")
    assert "<img" not in " ".join(alike.sentences(shown)).replace("\\<", "")


def test_many_prompts_have_no_numbers_in_cells_and_a_second_run_is_hollow():
    many = [*prompts("private", 12), *prompts("composed", 12), *prompts("second private", 12)]
    shown = alike.compare(many, True, CATALOGUE)
    assert len(maps.similarity(shown.prompts, shown.cosines).data) == 1
    drawn = maps.scatter(projections.pca(shown.values), [maps.Point(one) for one in many], None)
    assert {trace.name: trace.marker.symbol for trace in drawn.data} == {
        "private": "triangle-up", "composed": "circle", "second private": "triangle-up-open"}


@pytest.mark.parametrize(("cosine", "text"), [(1, "1"), (-0.001, "0"), (0.432, ".43"), (-0.05, "-.05"), (-1, "-1")])
def test_cosines_in_cells_are_short(cosine, text):
    assert maps.short(cosine) == text


# Maps


def test_tsne_by_link_says_what_may_be_read(visit, lab, store):
    run = run_of(store, lab.finished(), "spp")
    app = visit("space", run=run.id, map="tsne", points="vectors", perplexity="3")
    first = figure(app, "points_map")
    assert not app.exception and "distances and axes mean nothing" in words(app)
    assert sum(len(trace["x"]) for trace in first["data"]) == 8 * 3
    assert app.select_slider(key="perplexity").value == "3"
    app.button_group(key="groups").set_value(["source"]).run()
    assert not app.exception and "t-SNE needs at least 7 points. Got 6 instead" in words(app)


# Over training


def test_ways_over_training_end_where_the_prompts_are(visit, lab, store):
    lab.snapshots = True
    identity = lab.finished(tasks=["demo-mood", "demo-reword"])
    for method in ("spp", "scp", "mst", "pt"):
        run = run_of(store, identity, method)
        own = geometry.prompts_of(store.prompts(run.id), run.config["tasks"],
                                   repeats=METHODS[method].repeats)
        way = journeys.journey(*store.events(run.id, "prompts"), own, ["private", "source"])
        assert way.steps == (0, 3, 9) and way.whole == (method != "scp")
        at = [i for i, one in enumerate(own) if one.group != "composed"]
        rows = geometry.rows([one.vectors for one in own], way.whole)[at]
        np.testing.assert_allclose(geometry.cosines(way.directions[-1]), geometry.cosines(rows), atol=0.01)
        size = np.linalg.norm(rows, axis=1) / (np.sqrt(len(own[0].vectors)) if way.whole else 1)
        np.testing.assert_allclose(way.norms[-1], 10 * size, rtol=0.02)  # as the lab makes them grow
        assert journeys.turned(way)[-1] == pytest.approx(1, abs=1e-6) and journeys.turned(way)[0].max() < 0.9
    app = visit("space", run=run_of(store, identity, "scp").id, task="demo-mood")
    assert not app.exception and not app.error
    assert "3 snapshots" in words(app) and "They show mean vectors" in words(app)
    drawn = {trace["hovertext"][0]: trace["line"]["color"] for trace in figure(app, "paths")["data"]}
    assert drawn["private demo-mood, step 0"] == maps.LOOKS["private"][0] != drawn["private demo-reword, step 0"]


def test_a_run_without_snapshots_says_so(visit, lab, store):
    app = visit("space", run=run_of(store, lab.finished(), "spp").id)
    assert "No prompts were kept while this run trained" in words(app)
    assert journeys.journey(np.zeros(0), np.zeros((0, 0)), prompts("private", 2), ["private"]) is None


def way_of(cosines, group="private"):
    """A journey of one prompt whose direction has these cosines with its end."""
    turned = np.array(cosines, dtype=float)
    directions = np.stack([turned, np.sqrt(1 - turned**2)], axis=1)[:, None]
    return journeys.Journey(tuple(prompts(group, 1)), tuple(10 * i for i in range(len(turned))),
                            np.ones((len(turned), 1)), directions, True)


@pytest.mark.parametrize(("cosines", "step"), [([0, 0.6, 0.2, 0.7, 1], 30), ([0.8, 0.9, 1], 0), ([0, 0.6, -1, 1], 30)])
def test_half_way_is_where_prompts_stay_beyond_it(cosines, step):
    (said,) = journeys.sentences(way_of(cosines))
    assert f"(median); from step {step} on it is 0.5 or more. A vector had" in said


def test_prompts_that_end_as_zeros_have_no_step_half_way():
    way = way_of([0, 1, 1])
    way.directions[-1], way.norms[-1] = 0, 0
    assert journeys.sentences(way) == ["Private prompts: a vector had a norm of 1 at first and 0 at the end."]
    assert "0 times the size of a word's embedding" in journeys.sentences(way, 300.0)[0]


# The vocabulary


def test_the_nearest_piece_of_a_piece_is_itself_at_any_scale(visit, lab, store):
    demo = find_backbone("demo")
    ids = np.array([11, 60, 90])
    table = np.concatenate(list(vocabulary._stretches(demo, 200)))
    identity = imported.keep("words.npy", npy(700 * table[ids]), H)
    app = visit("space", run=run_of(store, lab.finished(), "spp").id, foreign=identity, prompt="imported words")
    shown = app.dataframe[0].value
    assert not app.exception
    assert list(shown["nearest 1"]) == [f"{name} (1)" for name in vocabulary.spelled(demo, ids)]
    assert "3 of the 3 vectors of imported words are nearer to a piece" in words(app)
    app.button_group(key="near").set_value("distance").run()
    assert app.query_params["near"] == "distance" and "Euclidean distance below" in words(app)


def test_a_backbone_that_is_gone_or_another_one_now_is_a_sentence_and_the_rest_stays(visit, lab, store):
    run = run_of(store, lab.finished(backbone="/no/such/folder"), "spp")
    app = visit("space", run=run.id)
    assert not app.exception and not app.error and "is not a folder" in words(app)
    assert figure(app, "similarity") and "of a vocabulary piece" not in words(app)


def test_opening_the_page_downloads_no_backbone(visit, lab, store, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "download", lambda ref: pytest.fail(f"the hub was asked for {ref}"))
    app = visit("space", run=run_of(store, lab.finished(backbone="lab/none"), "spp").id)
    assert not app.exception and not app.error
    assert "Fetch it with 'python \\-m compt\\_core backbone fetch lab/none'" in words(app)


def test_maps_and_pieces_are_computed_once(visit, lab, store, monkeypatch):
    lab.snapshots, calls = True, []
    for module, name in ((nearby, "nearest"), (projections, "pca")):
        own = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, own=own, name=name: calls.append(name) or own(*given))
    app = visit("space", run=run_of(store, lab.finished(), "spp").id)
    assert sorted(calls) == ["nearest", "pca", "pca"]  # the map, and the ways over training
    app.run()
    assert len(calls) == 3
    app.button_group(key="near").set_value("dot").run()
    assert not app.exception and calls[3:] == ["nearest"]
    app.button_group(key="points").set_value("vectors").run()
    assert not app.exception and calls[4:] == ["pca"]


# Prompts from elsewhere


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_imported_prompts_are_kept_under_a_link_and_seen_beside_the_runs(visit, lab, store):
    run = run_of(store, lab.finished(), "spp")
    own = store.prompts(run.id)["source"][0]
    data = save({"copy of s0": 700 * own, "<b>x</b>": np.ones((7, H), dtype="f4")})
    identity = imported.keep("theirs.safetensors", data, H)
    assert imported.keep("theirs.safetensors", data, H) == identity  # once
    found = imported.load(identity)
    assert [one.name for one in found] == ["imported <b>x</b>", "imported copy of s0"]
    app = visit("space", run=run.id, foreign=identity, groups="source,imported")
    assert not app.exception and not app.error
    assert "**copy of s0** is nearest to s0" in words(app) and r"\<b\>x\</b\>" in words(app)
    assert "because their lengths differ (3 and 7 vectors)" in words(app)


def test_imported_prompts_of_another_hidden_size_are_left_out_with_a_sentence(visit, lab, store):
    identity = imported.keep("small.npy", npy(np.ones((2, 5))), 5)
    app = visit("space", run=run_of(store, lab.finished(), "spp").id, foreign=identity)
    assert not app.exception and not app.error
    assert "The imported prompts have H = 5, this run's H = 64" in words(app) and "imported" not in app.query_params


def test_an_upload_goes_into_the_link_or_is_refused_in_a_sentence(visit, lab, store):
    app = visit("space", run=run_of(store, lab.finished(), "spp").id, groups="private")
    app.session_state["importer"] = True
    app.run()
    app.file_uploader(key="import").upload("bad.npy", npy(np.full((2, H), np.nan))).run()
    app.button(key="import_take").click().run()
    assert "must hold finite numbers" in words(app) and "foreign" not in app.query_params
    app.file_uploader(key="import").upload("good.npy", npy(np.ones((2, H)))).run()
    app.button(key="import_take").click().run()
    assert not app.exception and "1 prompt of good\\.npy" in words(app) and len(app.query_params["foreign"]) == 32
    assert app.query_params["groups"] == "private,imported" and "**good** is nearest to" in words(app)
    app.button(key="import_drop").click().run()
    assert "foreign" not in app.query_params


def test_an_adapter_of_peft_comes_with_its_configuration_and_is_told_apart_by_its_backbone(visit, lab, store):
    run, prompt = run_of(store, lab.finished(), "spp"), np.random.default_rng(1).normal(size=(6, H)).astype("f4")
    config = {"peft_type": "PROMPT_TUNING", "task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 3,
              "base_model_name_or_path": "google/t5-<b>other</b>"}
    app = visit("space", run=run.id)
    app.session_state["importer"] = True
    app.run()
    app.file_uploader(key="import").upload("adapter_model.safetensors", save({"prompt_embeddings": prompt})).run()
    app.button(key="import_take").click().run()
    assert "Without that file all 6 are taken as one prompt" in words(app)
    app.file_uploader(key="import_config").upload("adapter_config.json", json.dumps(config).encode()).run()
    app.button(key="import_take").click().run()
    assert not app.exception and "the first 3 of its 6 vectors are used" in words(app)
    assert r"trained on the backbone 'google/t5\-\<b\>other" in words(app) and "unless the two are" in words(app)
    (found,) = imported.load(app.query_params["foreign"])
    np.testing.assert_array_equal(found.vectors, prompt[:3])


@pytest.mark.parametrize(("theirs", "said"), [
    ({"id": "demo", "hash": "own"}, []), ({"id": "moved", "hash": "own"}, []), ({"id": "demo"}, []), ({}, []),
    ({"id": "demo", "hash": "other"}, ["with other weights"]), ({"id": "t5"}, ["unless the two are the same model"]),
])
def test_prompts_of_another_backbone_of_the_same_width_are_told_apart(lab, store, theirs, said):
    run = replace(run_of(store, lab.finished(), "spp"), versions={"backbone": {"id": "demo", "hash": "own"}})
    found = imported._other(run, theirs)
    assert len(found) == len(said) and all(part in line for part, line in zip(said, found, strict=True))


def test_a_runs_own_file_says_of_which_backbone_it_is(lab, store):
    about = {"id": "demo", "hash": "826e", "device": "cpu"}
    run = run_of(store, lab.finished(change=lambda run: {"backbone": about}), "spp")
    data = (store._artifacts.folder / run.id / "prompts.safetensors").read_bytes()
    assert foreign.origin(data) == {"id": "demo", "hash": "826e"} and len(foreign.read("p.safetensors", data, H)) == 3


def test_the_uploads_have_one_limit_for_all(home, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_IN_ALL", 10_000)
    imported.keep("a.npy", npy(np.ones((2, H))), H)
    with pytest.raises(DataError, match="uploads of all visitors fill"):
        imported.keep("b.npy", npy(np.zeros((30, H))), H)


@pytest.mark.parametrize("name", ["../../x.npy", "a/b.npy", "\x00.npy", "x" * 500 + ".npy", ".npy", "<i>.npy"])
def test_nothing_of_a_file_name_becomes_a_path(home, name):
    identity = imported.keep(name, npy(np.ones((2, H))), H)
    assert sorted(str(path.relative_to(home / "uploads")) for path in (home / "uploads").rglob("*")) == [
        identity, f"{identity}/prompts.safetensors"]
    (found,) = imported.load(identity)
    assert len(found.owner) <= 40 and found.owner


@pytest.mark.parametrize("identity", ["..", "", "x" * 32, "../" * 5, "\x00" * 32, "F" * 32])
def test_a_link_cannot_name_another_folder(home, identity):
    with pytest.raises(StoreError, match="are not kept here"):
        imported.load(identity)


# Beside another run, and as files


def test_a_second_run_stands_beside_the_first(visit, lab, store):
    identity = lab.finished(seeds=[0, 1])
    one, two = [run for run in store.runs(identity) if run.method == "spp"]
    app = visit("space", run=one.id, **{"with": two.id})
    assert not app.exception and len(figure(app, "similarity")["data"][0]["z"]) == 16
    assert "with the second run's prompt of the same task" in words(app)
    app.selectbox(key="with").select("none").run()
    assert "with" not in app.query_params and len(figure(app, "similarity")["data"][0]["z"]) == 8


def test_everything_on_the_page_can_be_taken_away(lab, store, visit, monkeypatch):
    kept = {}
    monkeypatch.setattr(view, "_numbers", lambda shown, files, run: kept.update(files))
    lab.snapshots = True
    run = run_of(store, lab.finished(), "spp")
    app = visit("space", run=run.id, foreign=imported.keep("=1+1.npy", npy(np.ones((3, H))), H))
    assert not app.exception and list(kept) == ["cosines", "norms", "map", "training", "pieces"]
    read = {name: pd.read_csv(io.BytesIO(data)) for name, data in kept.items()}
    assert read["cosines"].columns.tolist() == ["prompt", "column", "value"] and len(read["cosines"]) == 81
    assert read["norms"]["name"].tolist()[-1] == "imported =1+1" and len(read["map"]) == 9
    assert len(read["training"]) == 3 * 8 and len(read["pieces"]) == 3 * 5
    table = alike.sizes([Prompt("source", "=1+1", np.ones((1, H)))])
    assert b"'=1+1" in exports.table(table)
