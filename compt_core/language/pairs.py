"""Draws pairs of sentences for the skills, without shallow cues to the label.

One sentence alone, the bag of words of both, and the number of shared words should say next to nothing about the label.
So for the skills on meaning, a pair differs in the words of two slots whether its meaning differs or not. The levels
(member or category) are drawn so that each sentence has the same distribution under all labels; the tables `_WIDER`,
`_EQUAL` and `_LEVEL` ensure this. The wanted label only steers the draw; the label itself comes from `cases.SKILLS`,
which reads meanings.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from compt_core.language.grammar import ABSENT, ASKED, SLOTS, Meaning
from compt_core.language.lexicon import CATEGORY_SIZE, LIKING, MEMBERS
from compt_core.language.relations import category, likes

PERSON, ACTION, NEGATED, THING, QUALITY, PLACE, TIME = range(len(SLOTS))
ALL_SLOTS: Final = (PERSON, ACTION, THING, QUALITY, PLACE, TIME)  # negation goes with the action
_LAYERED: Final = (PERSON, THING, QUALITY, PLACE, TIME)  # slots with a level above: a category, or silence
_NEGATED: Final = 0.3  # chance of a negation if it is the same in both sentences or free in each
_HIGH: Final = 0.25  # chance that a slot that is not in focus is vague


class Scope(NamedTuple):
    """What sentences may be about: which slots, and at most the first `members` members of each."""

    slots: tuple[int, ...] = ALL_SLOTS
    members: int = 1000


EVERYTHING: Final = Scope()


class Pair(NamedTuple):
    """Two meanings, and for each the choice of synonyms ([7]) to write it with."""

    first: Meaning
    second: Meaning
    picks1: tuple[int, ...]
    picks2: tuple[int, ...]


class Dice:
    """Uniform draws from a numpy Generator, fetched in blocks, so that a single draw costs only a tenth."""

    def __init__(self, rng: np.random.Generator):
        self._rng = rng
        self._block: list[float] = []

    def uniform(self) -> float:
        """A float in [0, 1)."""
        if not self._block:
            self._block = self._rng.random(4096).tolist()
        return self._block.pop()

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        return int(self.uniform() * n)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def pick(self, weights: tuple[float, ...]) -> int:
        """An index, drawn with `weights`, which sum to 1."""
        left = self.uniform()
        for index, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return index
        return len(weights) - 1

    def mix(self, left: list[int]) -> list[int]:
        """The same items in a random order."""
        rest, out = list(left), []
        while rest:
            out.append(rest.pop(self.below(len(rest))))
        return out


# Chances at a slot in focus: (both low, both high, first low and second high, first high and second low). "Low" is a
# member, "high" its category or silence. In each pair of tables the row sums (first low) and the column sums (second
# low) are the same, so that one sentence does not tell which table was used.
Table = tuple[float, float, float, float]
_WIDER: Final[dict[bool, Table]] = {True: (0.15, 0.15, 0.70, 0.00), False: (0.05, 0.05, 0.80, 0.10)}
_EQUAL: Final[dict[bool, Table]] = {True: (0.50, 0.50, 0.00, 0.00), False: (0.15, 0.15, 0.35, 0.35)}
_LEVEL: Final[Table] = (0.50, 0.50, 0.00, 0.00)


def draw_equal(dice: Dice, want: bool, scope: Scope, negated: float = _NEGATED) -> Pair:
    """A pair that says the same (`want`) or differs in one or two parts."""
    first = _meaning(dice, scope, negated)
    return _steered(dice, first, want, scope, _EQUAL[want], flip=True)


def draw_wider(dice: Dice, want: bool, scope: Scope, negated: float = _NEGATED) -> Pair:
    """A pair whose second sentence follows from the first (`want`) or does not."""
    first = _meaning(dice, scope, negated)
    return _steered(dice, first, want, scope, _LEVEL if first.negated else _WIDER[want], flip=negated > 0)


def draw_verdict(dice: Dice, want: int, scope: Scope) -> Pair:
    """A pair aimed at relations.verdict `want`: a sentence that follows, or its reversal, or one about something else.

    In single sentences, denials and opposites are equally frequent under each label. They are kept rare, because both
    at once would give a contradiction away.
    """
    both, one, opposite = (0.12, 0.0, 0.0) if want == 0 else (0.04, 0.16, 0.2) if want == 1 else (0.0, 0.24, 0.76)
    turn = dice.pick((both, one, opposite, 1 - both - one - opposite))
    first = _meaning(dice, scope, 0.0)
    level = turn == 0 or (turn == 1 and dice.chance(0.5))
    pair = _steered(dice, first, want != 1, scope, _LEVEL if level else _WIDER[want != 1], flip=False)
    one_negated = 1 if turn == 0 or (turn == 1 and level) else 0
    two_negated = 1 if turn == 0 or (turn == 1 and not level) else 0
    action = (pair.second.action + len(LIKING)) % MEMBERS["action"] if turn == 2 else pair.second.action
    return pair._replace(first=pair.first._replace(negated=one_negated),
                         second=pair.second._replace(negated=two_negated, action=action))


def draw_part(dice: Dice, slot: int, want: bool, scope: Scope) -> Pair:
    """A pair with the same part in a slot (`want`) or another of its level; everything else is related at random."""
    pair = draw_loose(dice, scope)
    code = pair.first[slot] if want else _sibling(dice, scope, slot, pair.first[slot])
    return pair._replace(second=_with(pair.second, slot, code))


def draw_mood(dice: Dice, want: bool, scope: Scope) -> Pair:
    """A pair with the same attitude (`want`) or the opposite one; everything else is related at random."""
    pair = draw_loose(dice, scope)
    favourable = likes(pair.first) == want
    action = pair.second.action % len(LIKING) + (0 if favourable != bool(pair.second.negated) else len(LIKING))
    return pair._replace(second=pair.second._replace(action=action))


def draw_loose(dice: Dice, scope: Scope, negated: float = 0.5) -> Pair:
    """A pair in which each part is the same or drawn again, with even chances."""
    first, other = _meaning(dice, scope, negated), _meaning(dice, scope, negated)
    second = Meaning(*(mine if dice.chance(0.5) else his for mine, his in zip(first, other, strict=True)))
    return Pair(first, second, _picks(dice), _picks(dice))


def draw_graded(dice: Dice, scope: Scope) -> Pair:
    """A pair with none to all parts changed and no word in common, because shared words would give the grade away."""
    first = _meaning(dice, scope, _NEGATED)
    second = list(first)
    for slot in dice.mix(list(scope.slots))[:dice.below(len(scope.slots) + 1)]:
        layered = slot in _LAYERED and 0 <= first[slot] < MEMBERS[SLOTS[slot]]
        if layered and dice.chance(0.4):
            second[slot] = category(SLOTS[slot], first[slot])
        elif slot == ACTION and dice.chance(0.4):
            second[NEGATED] = 1 - first.negated
        else:
            second[slot] = _sibling(dice, scope, slot, first[slot])
    picks = _picks(dice)
    pair = Pair(first, Meaning(*second), picks, tuple(1 - pick for pick in picks))
    return Pair(pair.second, pair.first, pair.picks2, pair.picks1) if dice.chance(0.5) else pair


def draw_question(dice: Dice, pair: Pair, want: bool, *, both: bool) -> tuple[Pair, tuple[str, str]]:
    """(`pair` without the part that its second sentence (or `both`) asks for, the parts asked for).

    For a statement the part is "". If they should differ, two questions sometimes ask for different parts.
    """
    asked = ASKED[dice.below(len(ASKED))]
    other = asked
    if both and not want and dice.chance(0.15):
        other = ASKED[dice.below(len(ASKED))]
    first = _without(pair.first, other) if both else pair.first
    return pair._replace(first=first, second=_without(pair.second, asked)), (other if both else "", asked)


def _without(meaning: Meaning, asked: str) -> Meaning:
    if asked == "thing":
        return meaning._replace(thing=ABSENT, quality=ABSENT)
    return meaning if asked == "whether" else _with(meaning, SLOTS.index(asked), ABSENT)


def _steered(dice: Dice, first: Meaning, want: bool, scope: Scope, table: Table, *, flip: bool) -> Pair:
    """A pair whose words differ in two slots; a level moves by `table`, and without `want` usually a part differs.

    flip  whether the denial may be the part that differs
    """
    slots = scope.slots
    layered = [slot for slot in _LAYERED if slot in slots]
    focus = layered[dice.below(len(layered))] if layered else slots[dice.below(len(slots))]
    move = dice.pick(table) if layered else 0
    one, two = list(first), list(first)
    low = _member(dice, scope, focus)
    high = category(SLOTS[focus], low)
    one[focus] = low if move in (0, 2) else high
    two[focus] = low if move in (0, 3) else high
    others = [slot for slot in (*slots, *((NEGATED,) if flip and ACTION in slots else ())) if slot != focus]
    other = others[dice.below(len(others))] if others else focus
    settled = move == 3 or (move == 2 and table[3] == table[2])  # the levels alone already decide for no
    if not want and (not settled or dice.chance(0.3)):
        if move == 2 and SLOTS[focus] in CATEGORY_SIZE and dice.chance(0.35):
            other = focus  # "the chef" against "the child": the wrong category
        if one[other] == ABSENT:
            other = PERSON if PERSON in slots else focus
        two[other] = _sibling(dice, scope, other, two[other])
    picks1, picks2 = list(_picks(dice)), list(_picks(dice))
    for slot in (focus, other):
        picks2[slot] = 1 - picks1[slot]
    return Pair(Meaning(*one), Meaning(*two), tuple(picks1), tuple(picks2))


def _meaning(dice: Dice, scope: Scope, negated: float) -> Meaning:
    parts = [ABSENT] * len(SLOTS)
    for slot in scope.slots:
        code = _member(dice, scope, slot)
        parts[slot] = category(SLOTS[slot], code) if slot in _LAYERED and dice.chance(_HIGH) else code
    parts[NEGATED] = int(ACTION in scope.slots and dice.chance(negated))
    return Meaning(*parts)


def _member(dice: Dice, scope: Scope, slot: int) -> int:
    """A random member; the first `scope.members` are taken in turn from the slot's categories or polarities."""
    name = SLOTS[slot]
    size = CATEGORY_SIZE.get(name, len(LIKING) if slot == ACTION else 1)
    groups = MEMBERS[name] // size
    number = dice.below(min(MEMBERS[name], scope.members))
    return number % groups * size + number // groups


def _sibling(dice: Dice, scope: Scope, slot: int, code: int) -> int:
    """Another concept of the same level; the opposite for negation; silence stays silence."""
    if slot == NEGATED:
        return 1 - code
    if code == ABSENT:
        return code
    if code >= MEMBERS[SLOTS[slot]]:
        categories = MEMBERS[SLOTS[slot]] // CATEGORY_SIZE[SLOTS[slot]]
        first = MEMBERS[SLOTS[slot]]
        return first + (code - first + 1 + dice.below(categories - 1)) % categories
    if slot == ACTION and dice.chance(0.3):
        return (code + len(LIKING)) % MEMBERS["action"]
    while (other := _member(dice, scope, slot)) == code:
        pass
    return other


def _with(meaning: Meaning, slot: int, code: int) -> Meaning:
    return Meaning(*(code if index == slot else part for index, part in enumerate(meaning)))


def _picks(dice: Dice) -> tuple[int, ...]:
    return tuple(dice.below(2) for _ in SLOTS)
