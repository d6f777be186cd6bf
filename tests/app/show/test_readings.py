"""Sentences say what the data say, and no more."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from app.show import captions, frames, readings
from compt_core.tasks.table import CATALOGUE


def test_one_run_is_said_to_prove_little(table):
    found = readings.comparisons(table({("pt", 0): 0.631, ("spp", 0): 0.6}), None)
    assert found == ["ComPT (SPP) is 3.1 points below PT on this run (mean over tasks; one run: no interval)."]


def test_an_interval_that_includes_zero_tells_nothing_apart(table):
    wide = {("pt", 0): 0.5, ("pt", 1): 0.5, ("spp", 0): 0.4, ("spp", 1): 0.7}
    [sentence] = readings.comparisons(table(wide), None)
    assert "2 paired seeds" in sentence and "do not tell the two apart" in sentence
    tight = {("mst", 0): 0.5, ("mst", 1): 0.5, ("scp", 0): 0.701, ("scp", 1): 0.699}
    [sentence] = readings.comparisons(table(tight), None)
    assert sentence.startswith("ComPT (SCP) is 20.0 points above MST") and "do not tell" not in sentence


def test_equal_means_are_level(table):
    assert "is level with PT" in readings.comparisons(table({("pt", 0): 0.5, ("spp", 0): 0.5002}), None)[0]


def test_the_baselines_are_not_compared_with_each_other(table):
    assert readings.comparisons(table({("pt", 0): 0.5, ("mst", 0): 0.6}), None) == []


@pytest.mark.parametrize(("values", "noise"), [
    ({("pt", 0): 0.01, ("spp", 0): 0.04}, True),
    ({("pt", 0): 0.01, ("spp", 0): 0.3}, False),
    ({("pt", 0): -0.1, ("pt", 1): 0.5}, True),  # the interval includes 0
    ({("pt", 0): 0.29, ("pt", 1): 0.3}, False),
])
def test_results_at_chance_are_called_noise(table, values, noise):
    scores = table(values).assign(column=frames.NORMALISED)
    assert bool(readings.chance(scores)) is noise


def bare(table, level):
    return frames.summarise(table({("pt", 0): level})).assign(row="no_prompt")


@pytest.mark.parametrize(("level", "words"), [
    (0.75, "Not above the untrained backbone (no prompt: 75.0, mean over tasks): PT and ComPT (SPP)."),
    (0.6, "Not above the untrained backbone (no prompt: 60.0, mean over tasks): PT. "
          "Above it, in points: ComPT (SPP) by 10.0."),
    (0.4, "Above the untrained backbone (no prompt: 40.0, mean over tasks), in points: "
          "PT by 20.0 and ComPT (SPP) by 30.0."),
])
def test_methods_are_held_against_the_untrained_backbone(table, level, words):
    scores = table({("pt", 0): 0.6, ("spp", 0): 0.7})
    assert readings.untrained(scores, bare(table, level)) == [words]
    assert readings.untrained(scores, frames.reference_rows(None, ["sst2"], CATALOGUE)) == []


def test_identical_seeds_have_no_interval(table):
    same = table({("pt", 0): 0.5, ("pt", 1): 0.5, ("spp", 0): 0.7, ("spp", 1): 0.7})
    [sentence] = readings.comparisons(same, None)
    assert "identical in all 2 paired seeds" in sentence and "interval" not in sentence
    assert any(line.startswith("same: ") for line in readings.marks(frames.summarise(same)))


def test_few_dev_rows_are_said_in_points():
    assert readings.resolution({}, True) == []
    [sentence] = readings.resolution({"a": 20, "b": 50}, True)
    assert "20 to 50 in 2 tasks" in sentence and "2.0 to 5.0 points" in sentence and "seeds only" in sentence


def test_differences_of_one_seed_do_not_speak_of_intervals_of_tasks(table):
    one = frames.differences(table({("pt", 0): 0.5, ("spp", 0): 0.7}), "pt")
    assert not any("not corrected" in line for line in readings.how_to_read(one, "pt"))
    two = frames.differences(table({("pt", 0): 0.5, ("spp", 0): 0.7, ("pt", 1): 0.4, ("spp", 1): 0.7}), "pt")
    assert any("not corrected" in line for line in readings.how_to_read(two, "pt"))


@pytest.mark.parametrize(("states", "words"), [
    ({"cancelled": 4}, "All 4 runs were cancelled. Launch again to get results."),
    ({"failed": 1}, "The only run failed. Launch again to get results."),
    ({"running": 1, "failed": 3}, "Its runs are running. X"),
    ({"completed": 1, "failed": 3}, "None of the completed runs has what this page shows. X"),
    ({"paused": 2, "cancelled": 1}, "None of its runs completed (2 paused and 1 cancelled)."),
])
def test_a_page_without_results_says_why_and_promises_nothing(states, words):
    assert captions.nothing_to_show(states, "X")[1] == words


@pytest.mark.parametrize(("runs", "total", "words"), [
    (["a"], 1, "The only run failed"), (list("ab"), 2, "All 2 runs failed"), (list("ab"), 9, "a and b failed"),
    (list("abcd"), 9, "4 of 9 runs failed, among them a"),
])
def test_failures_are_counted(runs, total, words):
    assert captions.failed(runs, total) == words


def test_cards_tell_experiments_apart(lab, store):
    card = captions.experiment_card(store.experiment(identity := lab.queued(seeds="0-2")), "glue", 0.0)
    assert "3 seeds" in card and f"id {identity}" in card


@pytest.mark.parametrize(("values", "words"), [
    ({("pt", 0): 0.5}, "n = 1 per cell (one run: no interval)."),
    ({("pt", 0): 0.5, ("pt", 1): 0.6}, "n = 2 runs per cell, one per seed"),
    ({("pt", 0): 0.5, ("pt", 1): 0.6, ("spp", 0): 0.5}, "Runs per cell: PT 2, ComPT (SPP) 1"),
])
def test_the_number_of_runs_is_said(table, values, words):
    assert readings.sample(frames.summarise(table(values))).startswith(words)
    assert readings.sample(frames.summarise(frames.scores([]))) == ""


def test_marks_are_explained_only_where_they_stand(table):
    plain = frames.summarise(table({("pt", 0): 0.5}))
    assert readings.marks(plain) == []
    marked = frames.summarise(table({("pt", 0): None}, constant={("pt", 0)}))
    assert "up to 12.5%" in readings.marks(plain, 0.125)[0]
    constant, undefined = readings.marks(marked)
    assert "one label for every dev row (1 cell)" in constant and "counts 0 in means" in undefined


def weights(*rows):
    return pd.DataFrame([{"row": f"t{i}", "column": f"s{s}", "value": value}
                         for i, row in enumerate(rows) for s, value in enumerate(row)])


def test_uniform_attention_is_nothing_to_read_into():
    [sentence] = readings.attention(weights([0.52, 0.48], [0.5, 0.5]), [], learned=True)
    assert "nothing to read into" in sentence
    [sentence] = readings.attention(weights([0.5, 0.5], [0.5, 0.5]), [], learned=False)
    assert "as it was fixed" in sentence


def test_attention_names_who_leans_where():
    found = readings.attention(weights([0.1, 0.9], [0.8, 0.2], [0.3, 0.7]), [], learned=True)
    assert found[0] == "Largest weight per task: **s0**: t1; **s1**: t0 and t2."
    assert "0.90 (uniform 0.50)" in found[1] and "one run proves nothing" in found[1]
    found = readings.attention(weights([0.1, 0.9, 0.0], [0.4, 0.6, 0.0]), [2], learned=True)
    assert found[0].startswith("Every task gives its largest weight to s1")
    assert found[1].startswith("s2 has weight 0 in every task: dead") and "by weight decay say" in found[1]
    assert "decay" not in readings.attention(weights([0.5, 0.5, 0.0], [0.4, 0.6, 0.0]), [2], learned=False)[-1]


def test_one_source_is_no_choice():
    assert "one source" in readings.attention(weights([0.7], [0.4]), [], learned=True)[0]


SETTINGS = {"gates": "learned", "form": "mean", "sources": 2, "normalizer": "auto", "attention": "learned"}


def test_gates_name_the_extremes_and_what_was_not_learned():
    frame = pd.DataFrame({"task": ["a_b", "c"], "private_share": [0.5, 0.5], "private_norm_share": [0.2, 0.75]})
    found = readings.gates(frame, "spp", SETTINGS)
    assert found[0].startswith("c leans most on its private prompt (75%") and r"a\_b least (20%)" in found[0]
    assert "differ by up to 0.30" in found[1]
    for gates in ("fixed", "off"):
        assert gates in readings.gates(frame, "spp", SETTINGS | {"gates": gates})[0]
    bare = frame.assign(private_norm_share=math.nan)
    assert readings.gates(bare, "spp", SETTINGS) == readings.gates(bare, "scp", SETTINGS | {"form": "sum"}) == []
    assert "its form has none" in readings.gates(bare, "spp", SETTINGS | {"form": "sum"})[0]
    assert "a gate of its own" in readings.gates(bare, "scp", SETTINGS | {"sources": 1})[0]


@pytest.mark.parametrize(("method", "form"), [
    ("spp", "mean"), ("spp", "gated_sum"), ("spp", "sum"), ("scp", "mean"), ("scp", "sum")])
def test_the_gates_that_are_said_to_act_are_those_that_do(method, form):
    """Each gate is moved; what then changes of the composed prompt is what the note says of this method and form."""
    import torch

    from compt_core.composition.combine import compose

    parts = torch.randn(2, 1, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    joined = "concat" if method == "scp" else form

    def prompt(alpha, beta):
        return compose(*parts, torch.tensor([[alpha]]), torch.tensor([[beta]]), joined)

    def same(one, other):
        return bool(torch.allclose(prompt(*one), prompt(*other)))

    moved = {"alpha": not same((0.2, 0.6), (0.4, 0.6)), "beta": not same((0.2, 0.6), (0.2, 0.3))}
    said = readings.gates_note(method, {"form": form})
    assert ("Neither gate acts" in said) == (not any(moved.values()))
    assert ("Only alpha acts" in said) == (moved == {"alpha": True, "beta": False})
    assert ("only the ratio" in said) == (all(moved.values()) and same((0.2, 0.6), (0.1, 0.3)))
    assert ("Each gate scales its own part" in said) == (all(moved.values()) and not same((0.2, 0.6), (0.1, 0.3)))


@pytest.mark.parametrize(("seeds", "said"), [(1, "numbered within this run only"), (3, "have no numbers of their own")])
def test_sources_are_numbered_within_a_run_and_not_over_seeds(seeds, said):
    assert said in readings.normaliser({"normalizer": "softmax"}, SETTINGS, seeds)


def test_hostile_text_is_shown_as_it_is():
    hostile = "<b>*x*</b> [a](http://b) :red[c] `d` $e$\n# f"
    shown = captions.literal(hostile)
    assert "\n" not in shown
    for markup in ("<b", "*x", "](", ":red", "`d", "$e", "# f"):
        assert markup not in shown.replace("\\" + markup[0], "")
    assert captions.plain([shown]) == hostile.replace("\n", " ")


@pytest.mark.parametrize(("names", "words"), [
    ([], "none"), (["a"], "a"), ([1, 2], "1 and 2"), (list("abc"), "a, b and c"),
])
def test_lists_in_words(names, words):
    assert captions.listed(names) == words


def test_the_place_in_the_queue_in_words():
    assert captions.queue(1, 0, False) == "1 run of this experiment waits, next in the queue."
    assert captions.queue(3, 1, True) == "3 runs of this experiment wait; 1 other run comes first."


def test_caveats_follow_backbone_suite_and_seeds(lab, store):
    def of(**raw):
        experiment = store.experiment(lab.queued(**raw))
        return " ".join(captions.caveats(experiment, frames.suites(experiment)))

    assert "small bundled model" in of() and "One seed" in of()
    glue = of(backbone="google-t5/t5-base", seeds="0,1")
    assert "trained on GLUE" in glue and "One seed" not in glue
    assert "original T5" in glue and "FLAN" not in glue
    assert "FLAN-T5 was instruction-tuned" in of(backbone="x/y", tasks="rte", seeds="0,1")
    assert "most tasks of SET2" in of(backbone="x/y", tasks="imdb,demo-rte", seeds="0,1")
    assert of(backbone="x/y", tasks="demo-rte", seeds="0,1") == "", "the mirror is not GLUE"
    assert "tuned on titles" in of(backbone="english", tasks="demo-rte", seeds="0,1")
