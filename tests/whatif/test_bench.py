"""The sentence bench's core: a text gets what a dev row gets, edits keep their parents, neighbours are the shots."""

from __future__ import annotations

import math

import numpy as np
import pytest

from compt_core.errors import ConfigError
from compt_core.planning.data import load_data
from compt_core.settings.config import RunConfig
from compt_core.tasks.demo import demo_rows
from compt_core.tasks.fewshot import sample_dev, shots_of
from compt_core.tasks.files import load_task
from compt_core.tasks.table import TASKS
from compt_core.training.fleet_run import train_fleet
from compt_core.training.plan import encode_with, plan_run
from compt_core.whatif import bench
from compt_core.whatif.answer import answers, moved, worded
from compt_core.whatif.texts import LONGEST, alike, certified, clean, difference, replaced, shared_words, words
from compt_core.whatif.variants import MOST, WORDS, find, grown, without_each

NAMES = ("sst2", "mnli", "stsb")
MOOD = TASKS["demo-mood"]


@pytest.fixture(scope="module")
def trained(backbone, glue_dir):
    """(configs, outcomes) of two runs, trained and scored as the worker does it."""
    shared = {"tasks": NAMES, "shots": 6, "steps": 3, "batch": 6, "encoder_hidden": 9, "sources": 2, "prompt_length": 3,
              "max_tokens": 40, "data_dir": str(glue_dir), "backbone": "demo"}
    configs = {method: RunConfig(**shared, method=method) for method in ("pt", "scp")}
    return configs, train_fleet(configs, lambda event: None, lambda run: "keep", backbone=backbone)


@pytest.mark.parametrize("name", NAMES)
def test_dev_rows_get_the_scores_that_their_run_stored_whatever_stands_beside_them(backbone, trained, name):
    configs, outcomes = trained
    k, config = NAMES.index(name), configs["pt"]
    rows = sample_dev(load_task(TASKS[name], config.data_dir), None)
    prompts = {run: outcome.prompts["composed"][k] for run, outcome in outcomes.items()}
    prompts["none"] = np.zeros((0, backbone.hidden), dtype=np.float32)
    found = bench.scores(backbone, config, TASKS[name], [row.texts for row in rows], prompts)
    assert list(found) == ["pt", "scp", "none"] and found["none"].shape == (len(rows), len(TASKS[name].labels))
    for run, outcome in outcomes.items():
        np.testing.assert_allclose(found[run], outcome.scores[name], rtol=1e-5, atol=1e-5)
    flipped = bench.scores(backbone, config, TASKS[name], [row.texts for row in rows[::-1]], {"pt": prompts["pt"]})
    np.testing.assert_allclose(flipped["pt"][::-1], found["pt"], rtol=1e-5, atol=1e-5)
    alone = bench.scores(backbone, config, TASKS[name], [rows[3].texts], {"scp": prompts["scp"]})["scp"]
    np.testing.assert_allclose(alone[0], found["scp"][3], rtol=1e-5, atol=1e-5)
    assert not np.allclose(found["pt"], found["none"])


def test_what_max_tokens_leaves_out_is_said_and_has_no_say(backbone, trained, glue_dir):
    config = trained[0]["pt"]
    prompt = {"pt": trained[1]["pt"].prompts["composed"][0]}
    short, long = "the quiet baker finds a river .", " ".join(["the quiet baker finds a river ."] * 30)
    assert [bench.cut(backbone, config, TASKS["sst2"], (text,)) for text in (short, long)] == [False, True]
    [row] = encode_with(backbone.tokenizer, config, TASKS["sst2"], [load_task(TASKS["sst2"], str(glue_dir)).dev[3]])
    assert row.length(0) == 40  # a long row fills max_tokens to the last
    longer = bench.scores(backbone, config, TASKS["sst2"], [(long,), (long + " and more",)], prompt)["pt"]
    np.testing.assert_array_equal(longer[0], longer[1])


def test_probabilities_are_a_softmax_and_say_what_the_run_says():
    config = {"scoring": "sum", "similarity": "argmax"}
    sst2, stsb = TASKS["sst2"], TASKS["stsb"]
    [one, two] = answers(sst2, np.log([[0.2, 0.6], [0.03, 0.01]]).astype(np.float32), config)
    assert one.probabilities == pytest.approx([0.25, 0.75]) and two.probabilities == pytest.approx([0.75, 0.25])
    assert [worded(sst2, one.predicted), worded(sst2, two.predicted)] == [sst2.labels[1], sst2.labels[0]]
    assert one.confidence == pytest.approx(0.75) and moved(sst2, one, two) == pytest.approx(-0.5)
    even = np.full((1, 26), -4.0, dtype=np.float32)
    even[0, 10] += math.log(26)
    [graded] = answers(stsb, even, config)
    assert graded.predicted == 2.0 and graded.expected == pytest.approx((2.0 * 26 + 2.5 * 26 - 2.0) / 51)
    [meant] = answers(stsb, even, config | {"similarity": "expectation"})
    assert meant.predicted == pytest.approx(meant.expected)
    assert moved(stsb, graded, answers(stsb, -np.abs(np.arange(26.0) - 25)[None] * 9, config)[0]) > 2


def test_generated_text_has_no_probabilities():
    config = {"scoring": "generate", "similarity": "argmax"}
    [said, none] = answers(TASKS["sst2"], np.array([[0, 1], [0, 0]], dtype=np.float32), config)
    assert said.probabilities.tolist() == [0, 1] and none.confidence == 0
    assert worded(TASKS["sst2"], none.predicted) == "(no label)" and math.isnan(moved(TASKS["sst2"], none, said))


@pytest.mark.parametrize("select", ["last", "best"])
def test_neighbours_are_rows_that_the_run_trained_on(backbone, glue_dir, select):
    config = RunConfig(tasks=NAMES, shots=8, data_dir=str(glue_dir), select=select)
    data = load_data(NAMES, str(glue_dir), backbone.files)
    plan = plan_run(config, data, backbone.tokenizer)
    for k, one in enumerate(data):
        kept, held_out = shots_of(config, one)
        assert [example.row for example in plan.train[k]] == encode_with(backbone.tokenizer, config, one.task, kept)
        assert len(kept) + len(held_out) == 8 and len(held_out) == (2 if select == "best" else 0)
    kept, _ = shots_of(config, data[1])
    prompt = np.random.default_rng(0).normal(size=(4, backbone.hidden)).astype(np.float32)
    found = bench.nearest(backbone, config, data[1].task, kept[2].texts, kept, prompt, most=3)
    assert found[0].row == kept[2] and found[0].number == 2 and found[0].cosine == pytest.approx(1, abs=1e-5)
    assert [one.cosine for one in found] == sorted((one.cosine for one in found), reverse=True) and len(found) == 3
    assert sorted(found[0].shared) == sorted(shared_words(kept[2].texts, kept[2].texts))
    having = [sum(word in " ".join(row.texts).lower().split() for row in kept) for word in found[0].shared]
    assert having == sorted(having)


def test_mean_states_are_those_of_a_row_alone_without_its_prompt(backbone, glue_dir):
    """Against transformers' own encoder on one row at a time."""
    import torch

    config = RunConfig(tasks=NAMES, data_dir=str(glue_dir))
    encoded = encode_with(backbone.tokenizer, config, TASKS["mnli"], load_task(TASKS["mnli"], str(glue_dir)).dev[:5])
    prompt = torch.randn(3, backbone.hidden)
    found = bench.mean_states(backbone, encoded, prompt)
    table = backbone.model.get_input_embeddings().weight
    for row, state in zip(encoded, found, strict=True):
        inputs = torch.cat([table[list(row.before)], prompt, table[list(row.after)]])[None]
        with torch.no_grad():
            states = backbone.model.encoder(inputs_embeds=inputs).last_hidden_state[0]
        own = [i for i in range(len(states)) if not len(row.before) <= i < len(row.before) + 3]
        np.testing.assert_allclose(state, states[own].mean(0).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("typed", "kept", "lost"), [
    ("  The\tdog\r\n barked.\x00 ", "The dog barked.", 0),
    ("a\u202eb\u200bc \ud800d", "abc d", 0),  # turned writing, no-width space, half of a character
    ("👩\u200d🔬 works", "👩\u200d🔬 works", 0),
    ("x" * (LONGEST + 7), "x" * LONGEST, 7),
    ("\n \x07", "", 0),
])
def test_typed_text_is_one_clean_line(typed, kept, lost):
    assert clean(typed) == (kept, lost)


def test_words_are_replaced_in_place_and_the_change_is_named():
    texts = ("In the cellar, the chef slept.", "The “good” dog - it barked!")
    found = words(texts)  # the dash is none
    assert [(word.text, word.number, word.written) for word in found[5:]] == [
        (0, 6, "slept"), (1, 1, "The"), (1, 2, "good"), (1, 3, "dog"), (1, 5, "it"), (1, 6, "barked")]
    new = replaced(texts, found[2], "yard")
    assert new[0] == "In the yard, the chef slept." and new[1] == texts[1]
    columns = ("sentence1", "sentence2")
    assert difference(texts, new, columns) == "sentence1: cellar → yard at word 3"
    both = replaced(new, found[7], "bad")
    assert difference(texts, both, columns) == \
        "sentence1: cellar → yard at word 3; sentence2: good → bad at word 2"
    assert difference(("a b",), ("a c b",), ("sentence",)) == "(nothing) → c at word 2"
    far = difference(("a " * 60 + "x" * 99,), ("b a " * 60 + "y",), ("sentence",))
    assert "more" in far and len(far) < 400
    assert difference(("a b.",), ("a b!",), ("sentence",)) == "b. → b! at word 2"
    assert difference(("a  b",), ("a b",), ("sentence",)) == "spaces"


def test_each_word_is_left_out_once():
    left = without_each(("The dog, barked.", "No."))
    assert left == [(0, "The", ("dog, barked.", "No.")), (0, "dog", ("The, barked.", "No.")),
                    (0, "barked", ("The dog,.", "No.")), (1, "No", ("The dog, barked.", "."))]
    assert len(without_each(("w " * 500,))) == WORDS


def test_variants_know_their_parents_and_end_somewhere():
    columns = ("sentence",)
    variants = grown((), ("a good dog",), 7, ("a bad dog",), columns)
    variants = grown(variants, ("a bad dog",), None, ("a bad cat",), columns)
    variants = grown(variants, ("a good dog",), 7, ("a good cat",), columns)
    assert [(one.number, one.parent, one.change) for one in variants] == [
        (0, None, "dev row 7"), (1, 0, "good → bad at word 2"), (2, 1, "dog → cat at word 3"),
        (3, 0, "dog → cat at word 3")]
    assert variants[0].row == 7 and find(variants, ("a bad cat",)).number == 2
    assert grown(variants, ("a bad cat",), None, ("a good dog",), columns) == variants  # back to where it began
    assert grown(variants, ("new",), None, ("newer",), columns)[4:] == (
        type(variants[0])(4, None, "typed", ("new",)), type(variants[0])(5, 4, "new → newer at word 1", ("newer",)))
    full = variants
    for i in range(MOST - len(variants)):
        full = grown(full, ("a good dog",), 7, (f"a good {i}",), columns)
    assert len(full) == MOST
    with pytest.raises(ConfigError, match=f"at most {MOST} variants. Got {MOST + 1} instead"):
        grown(full, ("a good dog",), 7, ("one more",), columns)


def test_the_right_answer_to_an_edit_is_read_from_the_demo_language():
    for name in ("demo-mood", "demo-cola", "demo-stsb", "demo-qnli"):
        for row in demo_rows(name, "dev")[:20]:
            assert certified(TASKS[name], row.texts) == pytest.approx(row.value)
    one, two = "The cook loved the dog in the cellar.", "The cook hated the dog in the cellar."
    assert certified(MOOD, (one, one)) != certified(MOOD, (one, two))
    assert certified(MOOD, (one, "The cook zapped the dog.")) is None
    assert certified(TASKS["sst2"], (one,)) is None


def test_words_of_the_same_kind_make_a_sentence_again():
    row = demo_rows("demo-mood", "dev")[0].texts
    for word in words(row):
        for other in alike(MOOD, word.written)[:3]:
            assert certified(MOOD, replaced(row, word, other)) is not None or "not" in (word.written, other), other
    assert "hound" in alike(MOOD, "dog") and "dog" not in alike(MOOD, "dog") and alike(MOOD, "wasn't") == ("was",)
    assert alike(MOOD, "the") == alike(MOOD, "spaceship") == alike(TASKS["sst2"], "dog") == ()
