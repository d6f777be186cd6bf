"""The certified answers: on known examples, and as laws that hold for all meanings."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings

from compt_core.errors import DataError
from compt_core.language.cases import SKILLS, certify
from compt_core.language.grammar import ABSENT, Meaning, parse, parse_question
from compt_core.language.lexicon import MEMBERS
from compt_core.language.relations import (
    CONTRADICTED,
    ENTAILED,
    NEUTRAL,
    TOP,
    answers,
    category,
    follows,
    same_meaning,
    same_mood,
    similarity,
    verdict,
)
from tests.language.test_grammar import MEANINGS

BASE = "The chef praised the big dog in the cellar in spring."


@pytest.mark.parametrize(("second", "mood", "meaning", "answer"), [
    ("In the basement, the large hound was commended by the cook in springtime.", True, True, ENTAILED),
    ("The worker praised the dog inside.", True, False, ENTAILED),
    ("The employee praised the big animal in the cellar in spring.", True, False, ENTAILED),
    ("The chef praised the big dog in the cellar in fall.", True, False, NEUTRAL),
    ("The child praised the big dog in the cellar.", True, False, NEUTRAL),
    ("The chef praised the small dog in the cellar.", True, False, NEUTRAL),
    ("The chef praised the big dog outside.", True, False, NEUTRAL),
    ("The chef admired the big dog in the cellar in spring.", True, False, NEUTRAL),
    ("The chef didn't praise the big dog in the cellar.", False, False, CONTRADICTED),
    ("The worker didn't praise the animal inside.", False, False, CONTRADICTED),
    ("The chef criticized the big dog in the cellar in spring.", False, False, CONTRADICTED),
    ("The worker criticized the dog in the cellar.", False, False, CONTRADICTED),
    ("The chef didn't criticize the big dog in the cellar in spring.", True, None, None),
    ("The chef didn't criticize the big dog in the attic in spring.", True, False, NEUTRAL),
    ("The girl didn't despise the tv outside.", True, False, NEUTRAL),
])
def test_relations_on_known_pairs(second: str, mood: bool, meaning: bool | None, answer: int | None) -> None:
    one, two = parse(BASE), parse(second)
    assert same_mood(one, two) is mood
    assert same_meaning(one, two) is meaning
    assert verdict(one, two) == answer
    assert follows(one, two) is (None if answer is None else answer == ENTAILED)


def test_narrower_does_not_follow_and_denial_leaves_levels_open() -> None:
    vague, narrow = parse("The worker praised the dog inside."), parse(BASE)
    denied, vaguely_denied = narrow._replace(negated=1), vague._replace(negated=1)
    assert (verdict(narrow, vague), verdict(vague, narrow)) == (ENTAILED, NEUTRAL)
    assert verdict(denied, vaguely_denied) is None and verdict(denied, denied) == ENTAILED
    assert verdict(denied, vaguely_denied._replace(place=13)) == NEUTRAL
    assert verdict(narrow, vaguely_denied) == CONTRADICTED, "whoever praised was a worker"
    assert verdict(vague, denied) == NEUTRAL, "it may have been another worker"
    assert (verdict(vaguely_denied, narrow), verdict(denied, vague)) == (None, NEUTRAL)


@pytest.mark.parametrize(("question", "sentence", "answered"), [
    ("Where did the chef praise the dog?", BASE, True),
    ("Where was the animal commended by the worker in spring?", BASE, True),
    ("When did the cook praise the big hound inside?", BASE, True),
    ("When did the cook praise the big hound inside?", "The chef praised the big dog in the cellar.", False),
    ("Who praised the big dog outside?", BASE, False),
    ("What did the chef praise in the cellar?", BASE, True),
    ("What did the baker praise in the cellar?".replace("baker", "teacher"), BASE, False),
    ("Did the chef praise the dog in the cellar?", BASE, True),
    ("Where did the chef praise the dog?", "The worker praised the dog in the cellar.", False),
    ("Where did the chef praise the dog?", "The chef didn't praise the dog in the cellar.", False),
    ("Where did the chef praise the dog?", "The chef admired the dog in the cellar.", False),
    ("Did the chef criticize the dog in the cellar?", BASE, None),
    ("Where did the chef criticize the dog?", "The worker praised the dog in the cellar.", None),
])
def test_what_answers_a_question(question: str, sentence: str, answered: bool | None) -> None:
    assert answers(parse_question(question), parse(sentence)) is answered


@pytest.mark.parametrize(("second", "score"), [
    (BASE, 5.0), ("The cook commended the large hound in the basement in springtime.", 5.0),
    ("The chef praised the big dog in the cellar in fall.", 4.75),
    ("The worker praised the big dog in the cellar in spring.", 4.5),
    ("The chef praised the big dog in the cellar.", 4.875),
    ("The chef praised the dog inside in spring.", 4.375),
    ("The chef didn't praise the big dog in the cellar in spring.", 3.5),
    ("The chef didn't criticize the big dog in the cellar in spring.", 4.25),
    ("The chef admired the big dog in the cellar in spring.", 3.5),
    ("The girl attacked the small tv outside in winter.", 0.0),
])
def test_similarity_counts_parts(second: str, score: float) -> None:
    assert similarity(parse(BASE), parse(second)) == similarity(parse(second), parse(BASE)) == score


@settings(max_examples=200, deadline=None)
@given(MEANINGS, MEANINGS)
def test_laws_of_random_pairs(one: Meaning, two: Meaning) -> None:
    assert verdict(one, one) == ENTAILED and similarity(one, one) == TOP == 5
    assert similarity(one, two) == similarity(two, one)
    assert same_meaning(one, two) is same_meaning(two, one)


def test_laws_of_close_pairs() -> None:
    high = MEMBERS["person"]
    meanings = [Meaning(*parts) for parts in
                itertools.product((0, 1, high), (0, 6), (0, 1), (0, 16), (ABSENT, 1), (0, 12), (ABSENT, 2))]
    for one, two in itertools.product(meanings, repeat=2):
        both = verdict(one, two), verdict(two, one)
        if same_meaning(one, two):
            assert both == (ENTAILED, ENTAILED)
        elif None not in both:
            assert both != (ENTAILED, ENTAILED)
        assert (CONTRADICTED in both) <= (ENTAILED not in both)


def test_categories_hold_their_members() -> None:
    assert [category("person", code) for code in (0, 3, 4, 15, 16)] == [16, 16, 17, 19, ABSENT]
    assert [category("place", code) for code in (0, 5, 6, 11, 12)] == [12, 12, 13, 13, ABSENT]
    assert category("time", 1) == category("quality", 3) == ABSENT


def test_certify_reads_texts() -> None:
    assert certify("sound", "The chef praised dog inside.") == 0 and certify("sound", BASE) == 1
    assert certify("liking", "The chef didn't reject the dog inside.") == 1
    assert certify("asks", "Who praised the dog inside?", "By whom was the hound commended indoors?") == 1
    assert certify("asks", "Who praised the dog inside?", "Did the chef praise the dog inside?") == 0
    assert certify("actor", BASE, "The worker praised the dog inside.") is None
    assert certify("contrast", BASE, BASE) == 0.0
    with pytest.raises(DataError, match="not a question"):
        certify("answers", BASE, BASE)
    assert {skill.labels for skill in SKILLS.values()} == {2, 3, 26}
