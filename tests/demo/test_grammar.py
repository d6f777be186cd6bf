"""The demo language: every sentence reads back as what it was written from; relations on known examples."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compt_core.demo.grammar import ABSENT, ORDERS, Meaning, follows, parse, render, same_meaning, same_mood, words
from compt_core.demo.lexicon import ACTIONS, CONCEPTS, FUNCTION_WORDS, content_words

MEANINGS = st.builds(
    Meaning, st.integers(0, 9), st.integers(0, 7), st.integers(0, 1), st.integers(0, 9),
    st.integers(ABSENT, 5), st.integers(0, 9),
)


@settings(max_examples=300, deadline=None)
@given(MEANINGS, st.integers(0, len(ORDERS) - 1), st.lists(st.integers(0, 1), min_size=6, max_size=6))
def test_a_sentence_reads_back_as_its_meaning(meaning: Meaning, order: int, picks: list[int]) -> None:
    text = render(meaning, order, picks)
    assert parse(text) == meaning
    assert text[0].isupper() and text.endswith(".")
    assert text.lower().replace(",", "").rstrip(".").split() == words(meaning, order, picks)


@pytest.mark.parametrize(("text", "meaning"), [
    ("In the cellar, the chef didn't praise the big dog.", Meaning(1, 1, 1, 0, 0, 0)),
    ("The lantern was not hated by the worker outside.", Meaning(8, 4, 1, 6, ABSENT, 9)),
    ("The lass adored the noisy gadget in the woods.", Meaning(5, 0, 0, 9, 4, 5)),
])
def test_sentences_read_by_hand(text: str, meaning: Meaning) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize("text", [
    "", "The chef.", "The chef praised.", "The chef did praised the dog inside.", "The dog praised the chef inside.",
    "The dog was praise by the chef inside.", "In the inside, the chef praised the dog.",
    "The chef praised the dog inside outside.",
])
def test_what_is_no_sentence_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a sentence"):
        parse(text)


def test_an_unknown_word_is_named() -> None:
    with pytest.raises(ValueError, match="no word 'dragon'"):
        parse("The dragon praised the dog inside.")


def test_no_word_has_two_readings() -> None:
    named = [concept for slot, concepts in CONCEPTS.items() if slot != "action" for concept in concepts]
    words_of = [word for concept in named for word in concept]
    words_of += [form for action in ACTIONS for synonym in action for form in synonym]
    assert len(set(words_of)) == len(words_of)
    assert not set(words_of) & set(FUNCTION_WORDS)
    assert set(content_words()) == set(words_of)


BASE = "The chef praised the big dog in the cellar."


@pytest.mark.parametrize(("second", "mood", "meaning", "entailed"), [
    ("In the basement, the large hound was commended by the cook.", True, True, True),
    ("The worker praised the dog inside.", True, False, True),
    ("The employee praised the big animal in the cellar.", True, False, True),
    ("The child praised the big dog in the cellar.", True, False, False),
    ("The chef praised the small dog in the cellar.", True, False, False),
    ("The chef praised the big dog outside.", True, False, False),
    ("The chef didn't praise the big dog in the cellar.", False, False, False),
    ("The chef criticized the big dog in the cellar.", False, False, False),
    ("The chef didn't criticize the big dog in the cellar.", True, None, None),
    ("The girl didn't mock the tv outside.", True, False, False),
])
def test_relations_on_known_pairs(second: str, mood: bool, meaning: bool | None, entailed: bool | None) -> None:
    one, two = parse(BASE), parse(second)
    assert same_mood(one, two) is mood
    assert same_meaning(one, two) is meaning
    assert follows(one, two) is entailed


def test_narrower_does_not_follow_and_negation_leaves_levels_open() -> None:
    vague, narrow = parse("The worker praised the dog inside."), parse(BASE)
    assert follows(narrow, vague) is True
    assert follows(vague, narrow) is False
    assert follows(narrow._replace(negated=1), vague._replace(negated=1)) is None
    assert follows(narrow._replace(negated=1), narrow._replace(negated=1)) is True
    assert follows(narrow._replace(negated=1), vague._replace(negated=1, place=9)) is False


def test_same_meaning_is_symmetric_and_implies_entailment_both_ways() -> None:
    meanings = [Meaning(*parts) for parts in itertools.product((0, 1, 8), (0, 4), (0, 1), (0, 8), (ABSENT, 1), (0, 8))]
    for one, two in itertools.product(meanings, repeat=2):
        assert same_meaning(one, two) is same_meaning(two, one)
        if same_meaning(one, two):
            assert follows(one, two) and follows(two, one)
        elif same_meaning(one, two) is False:
            assert not (follows(one, two) and follows(two, one))
