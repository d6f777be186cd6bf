"""How two meanings are related: the certified answers behind every label.

A statement that something happened entails vaguer ones: "the chef" -> "the worker", "in the cellar" -> "inside", and
leaving a part out. Two conventions settle what the words alone do not. What the second sentence leaves vague refers to
what the first one said ("the worker" is the chef), and nobody does both a thing and its opposite. Where people would
still disagree, the answer is None and no row is made.
"""

from __future__ import annotations

from typing import Final

from compt_core.language.grammar import ABSENT, SLOTS, Meaning, Question
from compt_core.language.lexicon import CATEGORY_SIZE, LIKING, MEMBERS

ENTAILED, NEUTRAL, CONTRADICTED = 0, 1, 2  # answers of `verdict`
SAME, WIDER, NARROWER, OTHER, OPPOSITE = "=", ">", "<", "x", "!"  # relations of a part; WIDER: the second says less
_PARTS: Final = tuple(slot for slot in SLOTS if slot not in ("action", "negated"))
_SHARE: Final = {SAME: 1.0, WIDER: 0.5, NARROWER: 0.5}  # share of its points that a part in this relation gets
POINTS: Final = {"person": 1.0, "action": 1.5, "thing": 1.0, "quality": 0.5, "place": 0.75, "time": 0.25}
TOP: Final = sum(POINTS.values())  # 5, the similarity of two sentences that say the same


def category(slot: str, code: int) -> int:
    """The code of the category directly above a concept, or ABSENT if there is none."""
    if slot in CATEGORY_SIZE and 0 <= code < MEMBERS[slot]:
        return MEMBERS[slot] + code // CATEGORY_SIZE[slot]
    return ABSENT


def kind(slot: str, code: int) -> int:
    """The number of a concept's category within its slot, from 0; for a category, its own number."""
    return code // CATEGORY_SIZE[slot] if code < MEMBERS[slot] else code - MEMBERS[slot]


def relation(slot: str, one: int, two: int) -> str:
    """How the second sentence's part relates to the first's: SAME, WIDER, NARROWER, OTHER or OPPOSITE."""
    if one == two:
        return SAME
    if slot == "negated" or (slot == "action" and ABSENT not in (one, two) and abs(one - two) == len(LIKING)):
        return OPPOSITE
    if two in (category(slot, one), ABSENT):
        return WIDER
    return NARROWER if one in (category(slot, two), ABSENT) else OTHER


def relations(first: Meaning, second: Meaning) -> dict[str, str]:
    """Slot -> relation of every part."""
    return {slot: relation(slot, one, two) for slot, one, two in zip(SLOTS, first, second, strict=True)}


def likes(meaning: Meaning) -> bool:
    """Whether the person's attitude is favourable: the action's polarity, reversed by negation."""
    return (meaning.action < len(LIKING)) != bool(meaning.negated)


def same_mood(first: Meaning, second: Meaning) -> bool:
    """Whether both sentences report the same attitude, no matter whose it is and what it is about."""
    return likes(first) == likes(second)


def verdict(first: Meaning, second: Meaning) -> int | None:
    """ENTAILED if the second must be true when the first is, CONTRADICTED if it cannot be, else NEUTRAL."""
    part = relations(first, second)
    found = {part[slot] for slot in _PARTS}
    if OTHER in found or part["action"] not in (SAME, OPPOSITE):
        return NEUTRAL  # about somebody or something else
    if part["action"] == OPPOSITE:
        if part["negated"] == OPPOSITE:
            return None  # "loved" against "didn't hate"
        if first.negated:
            return NEUTRAL  # both may be true
        return CONTRADICTED if found <= {SAME, WIDER} else None
    if part["negated"] == OPPOSITE:
        if found == {SAME} or (second.negated and found <= {SAME, WIDER}):
            return CONTRADICTED
        return NEUTRAL if second.negated or NARROWER not in found else None  # which worker did a vague denial mean?
    if first.negated:  # with "the", it is open what a vaguer or narrower denial says
        return ENTAILED if found == {SAME} else None
    return ENTAILED if found <= {SAME, WIDER} else NEUTRAL


def follows(first: Meaning, second: Meaning) -> bool | None:
    """Whether the second sentence must be true if the first is."""
    answer = verdict(first, second)
    return None if answer is None else answer == ENTAILED


def same_meaning(first: Meaning, second: Meaning) -> bool | None:
    """Whether two sentences say the same. None for "loved" against "didn't hate"."""
    part = relations(first, second)
    if part["action"] == part["negated"] == OPPOSITE and all(part[slot] == SAME for slot in _PARTS):
        return None
    return first == second


def same_part(slot: str, first: Meaning, second: Meaning) -> bool | None:
    """Whether one part (a slot's name) is the same concept. None for a concept and its category."""
    found = relation(slot, first[SLOTS.index(slot)], second[SLOTS.index(slot)])
    return None if found in (WIDER, NARROWER) else found == SAME


def similarity(first: Meaning, second: Meaning) -> float:
    """0 to TOP: the points of all parts that agree; a part and its category count half.

    Action and negation are one part; "loved" and "didn't hate" count half, an action and its denial not at all.
    """
    part = relations(first, second)
    points = sum(POINTS[slot] * _SHARE.get(part[slot], 0.0) for slot in _PARTS)
    if part["negated"] == SAME:
        return points + POINTS["action"] * _SHARE.get(part["action"], 0.0)
    return points + (POINTS["action"] / 2 if part["action"] == OPPOSITE else 0.0)


def overlap(first: Meaning, second: Meaning) -> float:
    """Like :func:`similarity`, but only parts that are exactly the same count."""
    part = relations(first, second)
    points = sum(POINTS[slot] for slot in _PARTS if part[slot] == SAME)
    return points + (POINTS["action"] if part["action"] == part["negated"] == SAME else 0.0)


def same_question(first: Question, second: Question) -> bool:
    """Whether two questions ask for the same part of the same event."""
    return first == second


def answers(question: Question, sentence: Meaning) -> bool | None:
    """Whether a statement implies what a question takes for granted, and names what it asks for.

    None if it answers "no", and where people would disagree.
    """
    if question.asked != "whether" and sentence[SLOTS.index(question.asked)] == ABSENT:
        return False
    found = verdict(sentence, question.about)
    if found is None or (question.asked == "whether" and found == CONTRADICTED):
        return None
    return found == ENTAILED
