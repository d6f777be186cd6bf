"""The demo language: every sentence and question reads back as what it was written from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compt_core.errors import DataError
from compt_core.language.grammar import (
    ABSENT,
    ASKED,
    ORDERS,
    SLOTS,
    VOICES,
    Meaning,
    Question,
    as_text,
    check_words,
    parse,
    parse_question,
    plain,
    question_words,
    words,
)
from compt_core.language.lexicon import ACTIONS, CONCEPTS, FUNCTION_WORDS, content_words

SIZES = {slot: len(concepts) for slot, concepts in CONCEPTS.items()}
MEANINGS = st.builds(
    Meaning, st.integers(0, SIZES["person"] - 1), st.integers(0, SIZES["action"] - 1), st.integers(0, 1),
    st.integers(0, SIZES["thing"] - 1), st.integers(ABSENT, SIZES["quality"] - 1), st.integers(0, SIZES["place"] - 1),
    st.integers(ABSENT, SIZES["time"] - 1),
)
PICKS = st.lists(st.integers(0, 1), min_size=len(SLOTS), max_size=len(SLOTS))


@settings(max_examples=300, deadline=None)
@given(MEANINGS, st.integers(0, len(ORDERS) - 1), PICKS)
def test_a_statement_reads_back_as_its_meaning(meaning: Meaning, order: int, picks: list[int]) -> None:
    text = as_text(words(meaning, order, picks), order)
    assert parse(text) == meaning
    assert text[0].isupper() and text.endswith(".") and ("," in text) == bool(order % 2)
    assert plain(text) == words(meaning, order, picks)
    with pytest.raises(DataError, match="not a question"):
        parse_question(text)


@settings(max_examples=300, deadline=None)
@given(MEANINGS, st.sampled_from(ASKED), st.integers(0, len(VOICES) - 1), PICKS)
def test_a_question_reads_back_as_its_meaning(meaning: Meaning, asked: str, voice: int, picks: list[int]) -> None:
    silent = {"whether": (), "thing": ("thing", "quality")}.get(asked, (asked,))
    question = Question(asked, meaning._replace(negated=0, **dict.fromkeys(silent, ABSENT)))
    text = as_text(question_words(question, voice, picks), voice, question=True)
    assert parse_question(text) == question
    assert text[0].isupper() and text.endswith("?")
    assert plain(text) == question_words(question, voice, picks)
    with pytest.raises(DataError, match="not a sentence"):
        parse(text)


@pytest.mark.parametrize(("text", "meaning"), [
    ("In the cellar, the chef didn't praise the big dog in spring.", Meaning(1, 1, 1, 0, 0, 0, 0)),
    ("The lantern was not hated by the worker outside.", Meaning(16, 6, 1, 6, ABSENT, 13, ABSENT)),
    ("The lass adored the noisy gadget in the woods in fall.", Meaning(5, 0, 0, 17, 5, 7, 2)),
])
def test_statements_read_by_hand(text: str, meaning: Meaning) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize(("text", "asked"), [
    ("Did the chef praise the big dog in the cellar in spring?", "whether"),
    ("Was the dog praised by the chef inside?", "whether"),
    ("Who praised the dog inside?", "person"), ("By whom was the dog praised inside?", "person"),
    ("What did the chef praise inside?", "thing"), ("What was praised by the chef inside in fall?", "thing"),
    ("Where did the chef praise the dog?", "place"), ("Where was the dog praised by the chef in fall?", "place"),
    ("When did the chef praise the dog inside?", "time"), ("When was the dog praised by the chef inside?", "time"),
])
def test_questions_read_by_hand(text: str, asked: str) -> None:
    assert parse_question(text).asked == asked


@pytest.mark.parametrize("text", [
    "", "The chef.", "The chef praised.", "The chef did praised the dog inside.", "The dog praised the chef inside.",
    "The dog was praise by the chef inside.", "In the inside, the chef praised the dog.",
    "The chef praised the dog inside outside.", "The chef praised the dog in spring inside.",
    "In spring, the chef praised the dog inside.", "The chef praised the dog in the spring inside.",
])
def test_what_is_no_sentence_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="not a sentence"):
        parse(text)


@pytest.mark.parametrize("text", ["Where did the chef praise the dog inside?", "When did the chef praise the dog?",
                                  "Who did the chef praise inside?", "What did the chef praise the dog inside?"])
def test_what_is_no_question_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="not a question"):
        parse_question(text)


def test_unknown_words_are_named_with_what_is_near() -> None:
    with pytest.raises(DataError, match=r"no word 'dragon', 'elephants' or 'televisions' \(near: television\)\. It"):
        check_words("The dragon praised the elephants, dragon televisions.")
    with pytest.raises(DataError, match="no word 'dragon'"):
        parse("The dragon praised the dog inside.")
    with pytest.raises(DataError, match="5 more words"):
        check_words("one two three four five six seven eight nine ten")
    check_words("IN THE Cellar, didn't!")


def test_no_word_has_two_readings_and_there_are_enough() -> None:
    named = [concept for slot, concepts in CONCEPTS.items() if slot != "action" for concept in concepts]
    words_of = [word for concept in named for word in concept]
    words_of += [form for action in ACTIONS for synonym in action for form in synonym]
    assert len(set(words_of)) == len(words_of)
    assert not set(words_of) & set(FUNCTION_WORDS)
    assert set(content_words()) == set(words_of)
    assert 200 <= len(words_of) + len(FUNCTION_WORDS) <= 600
