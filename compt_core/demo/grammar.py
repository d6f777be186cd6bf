"""Sentences of the demo language: what one means, how it is written, and how it is read back.

A sentence says that a person did (or did not do) something to a thing at a place:
"In the cellar, the chef didn't praise the big dog." Active or passive, place first or last.
Labels are certified by reading: :func:`parse` turns text into a :class:`Meaning`, and the
relations below compare two meanings. How a sentence was generated plays no part in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from compt_core.demo.lexicon import ACTIONS, CONCEPTS, MEMBERS

ABSENT: Final = -1
ORDERS: Final = ("active", "active, place first", "passive", "passive, place first")


class Meaning(NamedTuple):
    """What a sentence says. Codes index `lexicon.CONCEPTS`; ABSENT = not said.

    Only `quality` may be absent in a sentence; other parts are absent in fragments alone.
    """

    person: int
    action: int
    negated: int  # 1 = did not happen
    thing: int
    quality: int
    place: int


SLOTS: Final = Meaning._fields


def render(meaning: Meaning, order: int, picks: Sequence[int]) -> str:
    """The sentence for `meaning`. `order` indexes ORDERS; `picks` [6] chooses the synonym of each slot.

    The pick of `negated` chooses between "did not" and "didn't". Absent parts are left out.
    """
    text = " ".join(words(meaning, order, picks))
    if order % 2 and meaning.place != ABSENT and (first := _place(meaning, picks)) != text.split():
        cut = len(" ".join(first))
        text = f"{text[:cut]},{text[cut:]}"
    return f"{text[:1].upper()}{text[1:]}."


def words(meaning: Meaning, order: int, picks: Sequence[int]) -> list[str]:
    """The words of the sentence, lower case and without punctuation: what the tokenizer leaves of it."""
    person, thing, place = _noun("person", meaning, picks), _noun("thing", meaning, picks), _place(meaning, picks)
    action: list[str] = []
    if meaning.action != ABSENT:
        base, past = ACTIONS[meaning.action][picks[1]]
        auxiliary = ("was", "wasn't") if order >= 2 else ("did", "didn't")
        if meaning.negated:
            action = [auxiliary[1]] if picks[2] else [auxiliary[0], "not"]
        elif order >= 2:
            action = ["was"]
        action.append(past if order >= 2 or not meaning.negated else base)
    body = [*thing, *action, *(["by", *person] if person else [])] if order >= 2 else [*person, *action, *thing]
    return [*place, *body] if order % 2 else [*body, *place]


def _noun(slot: str, meaning: Meaning, picks: Sequence[int]) -> list[str]:
    index = SLOTS.index(slot)
    if meaning[index] == ABSENT:
        return []
    noun = CONCEPTS[slot][meaning[index]][picks[index]]
    if slot == "thing" and meaning.quality != ABSENT:
        return ["the", CONCEPTS["quality"][meaning.quality][picks[4]], noun]
    return ["the", noun]


def _place(meaning: Meaning, picks: Sequence[int]) -> list[str]:
    if meaning.place == ABSENT:
        return []
    word = CONCEPTS["place"][meaning.place][picks[5]]
    return [word] if meaning.place >= MEMBERS["place"] else ["in", "the", word]


# Each word has a kind, one letter; a sentence is read by matching its string of kinds.
_KINDS: Final[dict[str, tuple[str, int]]] = {
    **{word: (kind, 0) for word, kind in
       {"the": "t", "in": "i", "by": "b", "was": "w", "wasn't": "x", "did": "d", "didn't": "e", "not": "n"}.items()},
    **{word: (kind, code) for slot, kind in {"person": "P", "thing": "T", "quality": "Q"}.items()
       for code, concept in enumerate(CONCEPTS[slot]) for word in concept},
    **{word: ("L" if code < MEMBERS["place"] else "O", code)
       for code, concept in enumerate(CONCEPTS["place"]) for word in concept},
    **{form: (kind, code) for code, action in enumerate(ACTIONS) for synonym in action
       for kind, form in zip("BV", synonym, strict=True)},
}
_SHAPES: Final = re.compile(r"""
    (?:itL|O) tP(?:V|dnB|eB)tQ?T | tP(?:V|dnB|eB)tQ?T (?:itL|O)   # active
    | (?:itL|O) tQ?T(?:wV|wnV|xV)btP | tQ?T(?:wV|wnV|xV)btP (?:itL|O)  # passive
""", re.VERBOSE)
_FIELD: Final = {"P": 0, "B": 1, "V": 1, "T": 3, "Q": 4, "L": 5, "O": 5}


def parse(text: str) -> Meaning:
    """The meaning of a sentence. Raises ValueError for a word or word order outside the language."""
    kinds, found = "", [0, 0, 0, 0, ABSENT, 0]
    for word in text.lower().replace(",", "").rstrip(".").split():
        if word not in _KINDS:
            raise ValueError(f"The demo language has no word '{word}'.")
        kind, code = _KINDS[word]
        kinds += kind
        if kind in _FIELD:
            found[_FIELD[kind]] = code
        elif kind in "nxe":
            found[2] = 1
    if not _SHAPES.fullmatch(kinds):
        raise ValueError(f"'{text}' is not a sentence of the demo language.")
    return Meaning(*found)


def category(slot: str, code: int) -> int:
    """What stands directly above a concept: the category's code, or ABSENT where there is none."""
    if slot in ("person", "thing", "place") and 0 <= code < MEMBERS[slot]:
        return MEMBERS[slot] + code // 4
    return ABSENT


def likes(meaning: Meaning) -> bool:
    """Whether the person's attitude is favourable: the action's polarity, turned round by negation."""
    return (meaning.action < 4) != bool(meaning.negated)


def same_mood(first: Meaning, second: Meaning) -> bool:
    """Whether both sentences report the same attitude, whoever has it and towards whatever."""
    return likes(first) == likes(second)


def same_meaning(first: Meaning, second: Meaning) -> bool | None:
    """Whether two sentences say the same. None where people would argue: "loved" against "didn't hate"."""
    return None if _arguable(first, second) else first == second


def follows(first: Meaning, second: Meaning) -> bool | None:
    """Whether the second sentence must be true if the first is. None where people would argue.

    A statement that something happened entails the vaguer ones ("the chef" -> "the worker"). Under
    negation, with its definite nouns, vaguer and narrower statements are left undecided (None).
    """
    if _arguable(first, second):
        return None
    if first.negated != second.negated:
        return False
    upwards, either = True, True
    for slot, one, two in zip(SLOTS, first, second, strict=True):
        if one != two:
            up = two in (category(slot, one), ABSENT)
            upwards = upwards and up
            either = either and (up or one in (category(slot, two), ABSENT))
    if first.negated and either and first != second:
        return None
    return upwards


def _arguable(first: Meaning, second: Meaning) -> bool:
    """Antonyms of which exactly one is negated."""
    return first.negated != second.negated and abs(first.action - second.action) == 4


def same_part(slot: str, first: Meaning, second: Meaning) -> bool | None:
    """Whether one part (a slot's name) is the same concept. None for a concept and its category."""
    index = SLOTS.index(slot)
    one, two = first[index], second[index]
    if one != two and (category(slot, one) == two or category(slot, two) == one):
        return None
    return one == two
