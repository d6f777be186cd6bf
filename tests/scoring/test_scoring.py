"""Scores to predictions and metrics: batching changes nothing, constants are recognised, options mean what they say."""

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from compt_core.backbone.cache import ScoreCache
from compt_core.backbone.load import find_backbone, load_backbone
from compt_core.backbone.passes import Room
from compt_core.scoring.predictions import UNREADABLE
from compt_core.scoring.score import judge, majority
from compt_core.scoring.score import score_task as score_task_in
from compt_core.tasks.batches import encode_rows, label_ids
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import Row
from compt_core.tasks.table import TASKS

score_task = partial(score_task_in, prefix="neutral")

STSB, SST2, MRPC = TASKS["stsb"], TASKS["sst2"], TASKS["mrpc"]


def rows_of(task, glue_dir):
    return load_task(task, str(glue_dir)).dev


def encode(backbone, task, rows):
    return encode_rows(backbone.tokenizer, task, rows, prefix="neutral", position="after_prefix", max_tokens=64)


def row_by_row(backbone):
    """The same backbone in passes of one row, and without a memory of earlier scores."""
    return replace(backbone, rooms={"score": Room(backbone.device, 1, open=False)}, cache=ScoreCache())


@pytest.mark.parametrize("name", ["cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte"])
def test_batch_size_order_and_other_prompts_change_nothing(backbone, glue_dir, name):
    task, rows = TASKS[name], rows_of(TASKS[name], glue_dir)
    encoded = encode(backbone, task, rows)
    prompts = {name: torch.randn(length, backbone.hidden) for name, length in (("a", 4), ("b", 2), ("none", 0))}
    together = score_task(backbone, task, rows, encoded, prompts)
    flipped = score_task(row_by_row(backbone), task, rows[::-1], encoded[::-1], {"a": prompts["a"]})["a"]
    np.testing.assert_allclose(flipped.scores[::-1], together["a"].scores, rtol=1e-5, atol=1e-5)
    assert set(together["b"].metrics) == set(task.metrics)
    assert together["none"].scores.shape == (len(rows), len(task.labels))
    assert not np.allclose(together["a"].scores, together["b"].scores)


def test_mean_divides_by_the_pieces_of_each_label(backbone, glue_dir):
    rows = rows_of(TASKS["rte"], glue_dir)
    encoded, prompts = encode(backbone, TASKS["rte"], rows), {"a": torch.randn(3, backbone.hidden)}
    summed, mean = (score_task(backbone, TASKS["rte"], rows, encoded, prompts, scoring=scoring)["a"].scores
                    for scoring in ("sum", "mean"))
    pieces = [len(backbone.tokenizer(w, add_special_tokens=False)["input_ids"]) + 1 for w in TASKS["rte"].labels]
    assert pieces[0] != pieces[1]
    np.testing.assert_allclose(mean * np.array(pieces), summed, rtol=1e-5)


def test_generation_reads_what_the_model_writes(backbone, glue_dir):
    rows = rows_of(SST2, glue_dir)
    encoded, prompts = encode(backbone, SST2, rows), {"a": torch.randn(3, backbone.hidden)}
    written = score_task(backbone, SST2, rows, encoded, prompts, scoring="generate")["a"]
    assert set(np.unique(written.predicted)) <= {UNREADABLE, 0, 1}
    assert written.metrics["accuracy"] == np.mean(written.predicted == [r.label for r in rows])


@pytest.mark.parametrize("asked", [
    {"min_length": 12}, {"min_new_tokens": 3}, {"num_beams": 4}, {"repetition_penalty": 9.0},
    {"forced_bos_token_id": 7}, {"suppress_tokens": [*range(3, 60)]}, {"bad_words_ids": [[5], [6]]},
    {"do_sample": True, "temperature": 9.0}, {"eos_token_id": 9},
    {"decoder_start_token_id": 5}, {"max_new_tokens": 1}, {"no_repeat_ngram_size": 1},
    {"forced_eos_token_id": 4, "max_length": 2}, {"not": "read"},
])
def test_generation_is_greedy_whatever_a_checkpoint_asks_for(backbone, tiny_t5, tmp_path, monkeypatch, asked):
    folder = shutil.copytree(tiny_t5, tmp_path / "t5")
    (folder / "generation_config.json").write_text(json.dumps(asked))
    own, task = load_backbone(find_backbone(str(folder)), "cpu"), replace(SST2, labels=("the a", "sentence"))
    rows = [Row((f"the {word}",), 0, 0.0) for word in ("baker", "river", "old")]
    written = []
    for one in (backbone, own):
        generate = one.model.generate
        monkeypatch.setattr(one.model, "generate", lambda generate=generate, **given: written.append(
            generate(**given).tolist()) or torch.tensor(written[-1]))
        score_task(one, task, rows, encode(one, task, rows), {"a": torch.ones(2, backbone.hidden)}, scoring="generate",
                   remember=False)
    assert written[0] == written[1]


def test_a_generated_label_is_known_by_how_its_pieces_are_written(backbone, monkeypatch):
    """Not by how the label is spelt: two blanks are one to the tokenizer."""
    task = replace(SST2, labels=("not  entailment", "positive"))
    ids = [*label_ids(backbone.tokenizer, task.labels)[0], 0]
    monkeypatch.setattr(backbone.model, "generate", lambda **_: torch.tensor([[0, *ids], [0, 7, *ids[1:]]]))
    rows = [Row(("the",), 0, 0.0)] * 2
    scored = score_task(backbone, task, rows, encode(backbone, task, rows), {"a": torch.ones(2, backbone.hidden)},
                        scoring="generate", remember=False)["a"]
    assert scored.predicted.tolist() == [0, UNREADABLE] and scored.unreadable == 0.5


ROWS = [Row(("x", "y"), label, float(label)) for label in (1, 1, 1, 0)]


def test_a_constant_prediction_is_recognised_and_its_correlation_is_undefined():
    always_one = np.array([[-3.0, -1.0]] * 4)
    scored = judge(MRPC, ROWS, always_one)
    assert scored.constant and scored.metrics == {"accuracy": 0.75, "f1": pytest.approx(6 / 7)}
    cola = judge(TASKS["cola"], ROWS, always_one)
    assert cola.metrics == {"accuracy": 0.75, "matthews": None}
    mixed = judge(TASKS["cola"], ROWS, np.array([[0, 1], [0, 1], [0, 1], [1, 0]], dtype=float))
    assert not mixed.constant and mixed.metrics == {"accuracy": 1.0, "matthews": 1.0}


def test_generated_text_that_is_no_label_counts_as_wrong():
    scored = judge(MRPC, ROWS, np.array([[0, 1], [0, 0], [0, 1], [1, 0]], dtype=float), generated=True)
    assert scored.predicted.tolist() == [1, UNREADABLE, 1, 0]
    assert scored.metrics == {"accuracy": 0.75, "f1": pytest.approx(0.8)} and scored.unreadable == 0.25


@pytest.mark.parametrize("similarity", ["argmax", "expectation"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_likelihoods_that_are_no_numbers_name_no_label(similarity, bad):
    scored = judge(MRPC, ROWS, np.array([[bad, bad], [-1, -2], [-2, -1], [-3, -1]]))
    assert scored.predicted.tolist() == [UNREADABLE, 0, 1, 1] and scored.unreadable == 0.25 and not scored.constant
    scores = np.zeros((4, 26))
    scores[:2], scores[2, 9] = bad, 60.0
    found = judge(STSB, ROWS, scores, similarity=similarity)
    assert found.predicted[:3].tolist() == pytest.approx([0, 0, 1.8]) and found.unreadable == 0.5
    assert all(value is None or np.isfinite(value) for value in found.metrics.values())


def test_similarity_by_best_candidate_or_by_expectation():
    rows = [Row(("x", "y"), 5, v) for v in (1.0, 4.75, 2.5)]
    scores = np.full((3, 26), -50.0)
    for row, best in enumerate((5, 24, 12)):
        scores[row, best] = 0.0
        scores[row, best + 1] = -np.log(3)  # a quarter of the mass
    best = judge(STSB, rows, scores)
    assert best.predicted.tolist() == pytest.approx([1.0, 4.8, 2.4])
    assert judge(STSB, rows, scores, similarity="expectation").predicted.tolist() == pytest.approx([1.05, 4.85, 2.45])
    assert set(best.metrics) == {"pearson", "spearman"} and best.metrics["spearman"] == pytest.approx(1.0)


def test_majority_is_the_best_constant_answer():
    assert majority(MRPC, ROWS) == {"accuracy": 0.75, "f1": pytest.approx(6 / 7)}
    assert majority(STSB, [Row(("x", "y"), 5, 1.0), Row(("x", "y"), 9, 2.0)]) == {"pearson": None, "spearman": None}


def test_the_backbone_is_locked_while_it_scores_and_a_prompt_may_leave(backbone, glue_dir):
    rows = rows_of(SST2, glue_dir)
    prompts = {name: torch.randn(3, backbone.hidden) for name in "ab"}
    free, asked = [], []
    ours, layer = row_by_row(backbone), backbone.model.encoder.final_layer_norm
    handle = layer.register_forward_hook(lambda *_: free.append(not ours.rooms["score"].lock.locked()))
    try:
        scored = score_task(ours, SST2, rows, encode(backbone, SST2, rows), prompts,
                            going=lambda name: asked.append(name) or name == "a" or len(asked) < 9)
    finally:
        handle.remove()
    assert len(free) > 5
    assert not any(free)
    assert set(scored) == {"a"}
    alone = score_task(row_by_row(backbone), SST2, rows, encode(backbone, SST2, rows), {"a": prompts["a"]})["a"]
    np.testing.assert_allclose(scored["a"].scores, alone.scores, rtol=1e-5, atol=1e-5)


def test_unreadable_answers_of_a_numeric_task_are_its_lowest_and_no_constant():
    rows = [Row(("x", "y"), 5, v) for v in (1.0, 4.75)]
    scored = judge(STSB, rows, np.zeros((2, 26)), generated=True)
    assert scored.predicted.tolist() == [0.0, 0.0]
    assert not scored.constant


def test_what_was_scored_before_is_not_scored_again(backbone, glue_dir):
    rows, calls = rows_of(SST2, glue_dir), []
    ours, encoded = row_by_row(backbone), encode(backbone, SST2, rows)
    prompts = {name: torch.randn(3, backbone.hidden) for name in "ab"}
    handle = backbone.model.encoder.final_layer_norm.register_forward_hook(lambda *_: calls.append(1))
    try:
        first = score_task(ours, SST2, rows, encoded, {"a": prompts["a"]})["a"]
        assert len(calls) == len(rows)
        both = score_task(ours, SST2, rows, encoded, {"x": prompts["b"], "y": prompts["a"].clone()})
        assert len(calls) == 2 * len(rows)
        assert list(both) == ["x", "y"]
        np.testing.assert_array_equal(both["y"].scores, first.scores)
        for changed in (
            lambda: score_task(ours, SST2, rows, encoded, {"a": prompts["a"] * 1.001}),
            lambda: score_task(ours, SST2, rows, encoded, {"a": prompts["a"]}, scoring="mean"),
            lambda: score_task(ours, SST2, rows, encoded[::-1], {"a": prompts["a"]}),
        ):
            before = len(calls)
            changed()
            assert len(calls) == before + len(rows)
    finally:
        handle.remove()


def test_the_cache_forgets_what_was_used_longest_ago():
    cache, scores = ScoreCache(limit=3 * 80), np.ones((10, 2), dtype=np.float32)
    for key in "abc":
        cache.put(key, scores)
    cache.get("a")[:] = 7
    cache.put("d", scores)
    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    assert (cache.get("a") == 1).all()
