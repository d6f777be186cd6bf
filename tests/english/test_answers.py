"""What the English T5 answers through our passes, against transformers on the same files, row by row."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from compt_core.backbone.passes import Room
from compt_core.backbone.t5 import PackedLabels, encode
from compt_core.scoring.score import judge, label_scores, score_task
from compt_core.tasks.batches import collate, encode_rows, label_ids
from compt_core.tasks.spec import Row
from compt_core.tasks.table import TASKS

P, END = 5, 1
PAIRS = [Row(("A man is asleep on the sofa.", "A man is sleeping."), 0, 0.0),
         Row(("The shop opens at nine and closes at five, except on Sunday.", "The shop never opens."), 1, 1.0),
         Row(("Two dogs run.", "There are some animals that run through the wet grass of the park."), 0, 0.0)]
SENTENCES = [Row(("The film was wonderful.",), 1, 1.0), Row(("Dull.",), 0, 0.0),
             Row(("I would rather watch paint dry than see another minute of this.",), 0, 0.0)]


@pytest.fixture
def prompt(english):
    """A prompt [P, H] of pieces of the vocabulary, blurred: of the size of real embeddings."""
    table = english.model.get_input_embeddings().weight
    draw = torch.Generator().manual_seed(7)
    chosen = table[torch.randint(3, 30_000, (P,), generator=draw)]
    return chosen + 0.1 * table.std() * torch.randn(chosen.shape, generator=draw)


def rows_of(task):
    return PAIRS if len(task.columns) == 2 else SENTENCES


def encoded(english, task, rows, prefix="neutral", position="after_prefix"):
    return encode_rows(english.tokenizer, task, rows, prefix=prefix, position=position, max_tokens=128)


def ours(english, task, rows, prompts, scoring="sum", **how):
    """Name -> label scores [n, C]."""
    words = label_ids(english.tokenizer, task.words(how.get("prefix", "neutral")))
    return label_scores(english, encoded(english, task, rows, **how), prompts, words, scoring)


def theirs(peer, before, prompt, after, word):
    """log p(word and </s>) of transformers' own loss, for one row: ids before and after the prompt [P, H]."""
    table = peer.get_input_embeddings().weight
    inputs = torch.cat([table[list(before)], prompt, table[list(after)]])[None]
    with torch.no_grad():
        return -len(word) * peer(inputs_embeds=inputs, labels=torch.tensor([list(word)])).loss.item()


@pytest.mark.parametrize("name", ["sst2", "rte", "mnli", "stsb"])
def test_label_scores_are_those_of_transformers_own_loss(english, peer, pieces, prompt, name):
    task, rows = TASKS[name], rows_of(TASKS[name])[: 1 if TASKS[name].numeric else 2]
    words = [[*pieces(label), END] for label in task.labels][:6]
    scores, mean = (ours(english, task, rows, {"a": prompt}, scoring)["a"] for scoring in ("sum", "mean"))
    for row, one, by_piece in zip(encoded(english, task, rows), scores, mean, strict=True):
        wanted = [theirs(peer, row.before, prompt, row.after, word) for word in words]
        np.testing.assert_allclose(one[: len(words)], wanted, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(by_piece[: len(words)] * [len(word) for word in words], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("position", ["before_all", "after_prefix", "after_text"])
def test_the_prompt_stands_where_a_hand_made_input_has_it(english, peer, pieces, prompt, position):
    task, rows = TASKS["sst2"], SENTENCES
    scores = ours(english, task, rows, {"a": prompt}, position=position)["a"]
    word = [*pieces("positive"), END]
    for row, one in zip(rows, scores[:, 1], strict=True):
        head, body = pieces("sst2:"), [*pieces("sentence:"), *pieces(row.texts[0])]
        before, after = {"before_all": ([], [*head, *body, END]), "after_prefix": (head, [*body, END]),
                         "after_text": ([*head, *body], [END])}[position]
        assert one == pytest.approx(theirs(peer, before, prompt, after, word), rel=1e-4, abs=1e-4)


def test_what_is_generated_is_what_transformers_generates(english, peer, prompt, reviews):
    task, rows, table = TASKS["sst2"], reviews[::17], peer.get_input_embeddings().weight
    found = score_task(english, task, rows, encoded(english, task, rows, "question"), {"a": prompt, "none": prompt[:0]},
                       prefix="question", scoring="generate", remember=False)
    words = task.words("question")
    for name, own in (("a", prompt), ("none", prompt[:0])):
        for row, scores in zip(encoded(english, task, rows, "question"), found[name].scores, strict=True):
            inputs = torch.cat([table[list(row.before)], own, table[list(row.after)]])[None]
            written = peer.generate(inputs_embeds=inputs, do_sample=False, num_beams=1,
                                    max_new_tokens=max(map(len, label_ids(english.tokenizer, words))))
            text = english.tokenizer.decode(written[0], skip_special_tokens=True).strip()
            assert scores.tolist() == [float(text == word) for word in words]
    assert found["none"].scores.any()  # some answers are label words


@pytest.mark.parametrize("name", ["sst2", "rte"])
def test_padding_order_and_other_rows_change_nothing(english, prompt, name):
    task = TASKS[name]
    rows = encoded(english, task, rows_of(task))
    packed = PackedLabels(label_ids(english.tokenizer, task.labels), 0, english.device)

    def scores(chosen, extra=0, bucket=1):
        batch = collate([rows[i] for i in chosen], [P] * len(chosen), bucket, extra)
        with torch.no_grad():
            return packed.scores(english, encode(english, batch, prompt.repeat(len(chosen), 1)))

    alone = torch.cat([scores([i]) for i in range(3)])
    for chosen, extra, bucket in (([0, 1, 2], 0, 1), ([2, 0, 1], 0, 1), ([2, 1, 0], 24, 1), ([1, 2, 0], 0, 64)):
        torch.testing.assert_close(scores(chosen, extra, bucket), alone[chosen], atol=1e-4, rtol=1e-5)


def rounded(model):
    """The model in bfloat16. Its matrix products are those of bfloat16 numbers with sums in float32, rounded at the
    end, as on a GPU; done in float32, since a CPU without instructions for bfloat16 takes seven times as long."""
    half = copy.deepcopy(model).bfloat16()
    for product in (module for module in half.modules() if isinstance(module, torch.nn.Linear)):
        weight = product.weight.float()
        product.forward = lambda states, weight=weight: torch.nn.functional.linear(states.float(), weight).bfloat16()
    return half


def test_it_knows_english_and_gives_nearly_all_answers_in_bfloat16_too(english, reviews):
    """Asked in plain words and without training, it tells good reviews from bad ones."""
    task = TASKS["sst2"]
    half = replace(english, model=rounded(english.model), rooms={"score": Room(english.device, 1024, open=False)})
    exact, near = (ours(one, task, reviews, {"none": torch.zeros(0, one.hidden)}, prefix="question")["none"]
                   for one in (english, half))
    assert judge(task, reviews, exact).metrics["accuracy"] > 0.85
    assert (exact.argmax(1) == near.argmax(1)).mean() >= 0.99 and (exact != near).all()


STYLES = {
    ("sst2", "neutral"): ("sst2: sentence: Dull.", ["negative", "positive"]),
    ("sst2", "native"): ("sst2 sentence: Dull.", ["negative", "positive"]),
    ("sst2", "question"): ("Is this movie review positive or negative? review: Dull.", ["negative", "positive"]),
    ("rte", "neutral"): ("rte: sentence1: A man is asleep on the sofa. sentence2: A man is sleeping.",
                         ["entailment", "not_entailment"]),
    ("rte", "native"): ("rte sentence1: A man is asleep on the sofa. sentence2: A man is sleeping.",
                        ["entailment", "not_entailment"]),
    ("rte", "question"): ("", ["yes", "no"]),
}


@pytest.mark.parametrize(("name", "prefix"), STYLES)
def test_each_style_of_prefix_reads_and_answers_in_its_words(english, name, prefix):
    text, words = STYLES[name, prefix]
    task = TASKS[name]
    row, = encoded(english, task, [SENTENCES[1] if name == "sst2" else PAIRS[0]], prefix, "before_all")
    read = english.tokenizer.decode(row.after)
    if text:
        assert read == f"{text}</s>"
    else:  # the question is the table's own
        assert read.startswith(task.question.text) and "A man is sleeping." in read
    ids = label_ids(english.tokenizer, task.words(prefix))
    assert [english.tokenizer.decode(word) for word in ids] == [f"{word}</s>" for word in words]
