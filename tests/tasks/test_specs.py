"""Every task of every suite: its labels parse, its rows render. A new task is tested before its own test is written."""

from __future__ import annotations

import pytest

from compt_core.errors import ConfigError, DataError
from compt_core.tasks.batches import encode_rows, frame, label_ids
from compt_core.tasks.spec import Row, Task
from compt_core.tasks.table import CATALOGUE, SUITES, TASKS

ALL = list(TASKS.values())
WORDED = [task for task in ALL if not task.numeric]
each = pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)

# Written down a second time, from the benchmarks' own descriptions; label words in the order of the hub's indices.
EXPECTED = {
    "cola": (("sentence",), ("unacceptable", "acceptable"), ("accuracy", "matthews")),
    "sst2": (("sentence",), ("negative", "positive"), ("accuracy",)),
    "mrpc": (("sentence1", "sentence2"), ("not_equivalent", "equivalent"), ("accuracy", "f1")),
    "qqp": (("question1", "question2"), ("not_duplicate", "duplicate"), ("accuracy", "f1")),
    "mnli": (("premise", "hypothesis"), ("entailment", "neutral", "contradiction"), ("accuracy",)),
    "rte": (("sentence1", "sentence2"), ("entailment", "not_entailment"), ("accuracy",)),
    "qnli": (("question", "sentence"), ("entailment", "not_entailment"), ("accuracy",)),
    "imdb": (("text",), ("negative", "positive"), ("accuracy",)),
    "yelp_polarity": (("text",), ("negative", "positive"), ("accuracy",)),
    "paws": (("sentence1", "sentence2"), ("not_equivalent", "equivalent"), ("accuracy", "f1")),
    "scitail": (("premise", "hypothesis"), ("entailment", "neutral"), ("accuracy",)),
    "multinli": (("premise", "hypothesis"), ("entailment", "neutral", "contradiction"), ("accuracy",)),
}


def row(task: Task) -> Row:
    return Row(tuple(f"the old river {name}" for name in ("opens", "follows")[: len(task.columns)]), 0, 0.0)


def test_suites_hold_the_benchmarks() -> None:
    assert set(SUITES) == {"demo", "demo-glue", "demo-more", "glue", "set2", "english"}
    assert len(SUITES["glue"]) == 8
    assert SUITES["set2"] == ("imdb", "yelp_polarity", "mrpc", "paws", "scitail", "multinli")
    assert {name for names in SUITES.values() for name in names} == set(TASKS)
    assert all(TASKS[name].suite == suite and TASKS[name].bundled == suite.startswith("demo")
               for suite, names in SUITES.items() if suite not in ("set2", "english") for name in names)


@pytest.mark.parametrize("name", EXPECTED)
def test_glue_and_set2_are_what_the_benchmarks_say(name: str) -> None:
    task = TASKS[name]
    assert (task.columns, task.labels, task.metrics) == EXPECTED[name]
    assert task.hub is not None


def test_stsb_has_its_26_candidates() -> None:
    task = TASKS["stsb"]
    assert task.labels[:3] == ("0.0", "0.2", "0.4")
    assert task.labels[-1] == "5.0"
    assert len(task.labels) == 26
    assert task.metrics == ("pearson", "spearman")


@pytest.mark.parametrize("task", WORDED, ids=lambda task: task.name)
def test_a_label_is_its_word_or_its_index(task: Task) -> None:
    for index, word in enumerate(task.labels):
        for raw in (word, f" {word} ", str(index), index, float(index), f"{index}.0"):
            assert task.parse_label(raw, "here") == (index, float(index))


@pytest.mark.parametrize("task", WORDED, ids=lambda task: task.name)
@pytest.mark.parametrize("raw", [True, False, None, "", "maybe", "0.5", 0.5, 17, "-2", "nan", float("nan"), "inf", []])
def test_any_other_label_is_an_error_that_says_where(task: Task, raw: object) -> None:
    if isinstance(raw, bool) and str(raw).lower() in task.labels:
        assert task.parse_label(raw, "here") == task.parse_label(str(raw).lower(), "here")
        return
    with pytest.raises(DataError) as caught:
        task.parse_label(raw, "'dev.tsv', line 7")
    message = str(caught.value)
    assert f"The label of task '{task.name}' in 'dev.tsv', line 7 must be one of '{task.labels[0]}'" in message
    assert f"or its index 0 to {len(task.labels) - 1}." in message


@pytest.mark.parametrize("name", ["sst2", "stsb"])
def test_a_number_is_written_in_ascii_and_has_nothing_around_it(name: str) -> None:
    for raw in ("0_1", "1_0", " 1", "1 ", "\u00a01", "１", "١", "१", "²", "①", "+1", "1.", "0x1", "1j", "\ud800", "1\0",
                "1" * 5000 + "x"):
        with pytest.raises(DataError, match=r"Got '.* instead\."):
            TASKS[name].parse_label(raw, "here")


@each
def test_minus_one_is_a_test_row(task: Task) -> None:
    assert [task.parse_label(raw, "here") for raw in (-1, "-1", -1.0, "-1.0")] == [None] * 4


def test_a_misspelt_label_is_met_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"Got 'not entailment' instead\. Did you mean 'not_entailment'\?"):
        TASKS["rte"].parse_label("not entailment", "here")
    with pytest.raises(DataError, match=r"Got 'Positive' instead\. Did you mean 'positive'\?"):
        TASKS["sst2"].parse_label("Positive", "here")


def test_a_long_or_wild_label_stays_one_line() -> None:
    with pytest.raises(DataError) as caught:
        TASKS["rte"].parse_label("x\ny\x1b" * 1000, "here")
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("raw", "index", "value"), [
    ("5.000", 25, 5.0), (0, 0, 0.0), ("3.8", 19, 3.8), ("2.714", 14, 2.714), (1.25, 6, 1.25), ("0.099", 0, 0.099),
    (1e-05, 0, 1e-05), (".5", 2, 0.5),
])
def test_a_similarity_keeps_its_value_and_gets_the_nearest_candidate(raw: object, index: int, value: float) -> None:
    assert TASKS["stsb"].parse_label(raw, "here") == (index, value)


@pytest.mark.parametrize("raw", ["5.1", "-0.1", "nan", "high", None, True, "inf", "-inf", "1e400", "-1e400", "2_5", "٣",
                                 "３.5", " 2.5", "2,5", "2.5.0", "e5"])
def test_a_similarity_outside_its_range_is_an_error(raw: object) -> None:
    with pytest.raises(DataError, match=r"The label of task 'stsb' in here must be a number in \[0\.0, 5\.0\]"):
        TASKS["stsb"].parse_label(raw, "here")


def test_scitail_calls_entailment_otherwise() -> None:
    assert TASKS["scitail"].parse_label("entails", "here") == (0, 0.0)


# --- rendering


@each
def test_a_row_renders_its_prefix_and_both_fields(backbone, task: Task) -> None:
    for style in ("neutral", "native", "question"):
        encoded, = encode_rows(backbone.tokenizer, task, [row(task)], prefix=style, position="after_prefix",
                               max_tokens=256)
        before, after = (backbone.tokenizer.decode(ids) for ids in (encoded.before, encoded.after))
        assert backbone.tokenizer.decode(encoded.before).replace(" ", "") == task.prefix(style).replace(" ", "")
        for name, text in zip(task.field_names(style), row(task).texts, strict=True):
            assert f"{name}: {text}" in after
        assert after.endswith("</s>")
        assert after.count("</s>") == 1
        assert "<unk>" not in before + after
        assert not encoded.cut


@each
def test_the_neutral_prefix_is_the_same_for_all_tasks_but_for_the_name(task: Task) -> None:
    names = ["sentence:"] if len(task.columns) == 1 else ["sentence1:", "sentence2:"]
    assert frame(task, "neutral") == [f"{task.name}:", *names]


@pytest.mark.parametrize(("name", "native"), [
    ("cola", ["cola", "sentence:"]), ("mnli", ["mnli", "premise:", "hypothesis:"]),
    ("qqp", ["qqp", "question1:", "question2:"]), ("stsb", ["stsb", "sentence1:", "sentence2:"]),
    ("qnli", ["qnli", "question:", "sentence:"]), ("imdb", ["imdb:", "sentence:"]),
])
def test_the_native_prefix_is_t5s_own_where_it_has_one(name: str, native: list[str]) -> None:
    assert frame(TASKS[name], "native") == native


@each
@pytest.mark.parametrize("style", ["neutral", "native", "question"])
def test_label_words_are_told_apart(backbone, task: Task, style: str) -> None:
    ids = label_ids(backbone.tokenizer, task.words(style))
    assert len(set(ids)) == len(task.labels)
    assert all(word[-1] == backbone.tokenizer.eos_token_id and len(word) > 1 for word in ids)
    assert [backbone.tokenizer.decode(word[:-1]) for word in ids] == list(task.words(style))


@each
def test_only_a_question_has_words_of_its_own(task: Task) -> None:
    assert task.words("neutral") == task.words("native") == task.labels
    assert (task.digest("question") == task.digest("neutral")) is (task.question is None)


def test_a_task_is_asked_as_a_question() -> None:
    qqp, sst2 = TASKS["qqp"], TASKS["sst2"]
    assert frame(qqp, "question") == ["Do these questions ask the same thing?", "question 1:", "question 2:"]
    assert qqp.words("question") == ("no", "yes")  # index 1 is a duplicate
    assert frame(sst2, "question") == ["Is this movie review positive or negative?", "review:"]
    assert sst2.words("question") == sst2.labels
    assert TASKS["rte"].words("question") == ("yes", "no")  # index 0 is entailment
    assert frame(TASKS["demo-mood"], "question") == frame(TASKS["demo-mood"], "neutral")  # it has none


# --- names


def test_unknown_tasks_are_all_named() -> None:
    with pytest.raises(ConfigError) as caught:
        CATALOGUE.named(("mrpc", "MNLI", "zzz"))
    first, second = caught.value.issues
    assert first.message == "There is no task 'MNLI'. Did you mean 'mnli'?"
    assert second.message.startswith("There is no task 'zzz'. Known tasks: demo-")


def test_tasks_come_in_the_order_asked_for() -> None:
    assert [task.name for task in CATALOGUE.named(("rte", "cola"))] == ["rte", "cola"]
