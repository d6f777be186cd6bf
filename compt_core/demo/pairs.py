"""Drawing pairs of sentences that a skill must decide, without shallow cues.

One sentence alone, the bag of words of both, and the number of shared words are meant to say next
to nothing about the label. Therefore every pair differs in the words of two slots, whether its
meaning differs or not, and the levels (member or category) are drawn so that each sentence has the
same distribution under both labels; the weights in `_FOLLOWS` and `_MEANING` solve for that.
The wanted label only steers the draw; the label itself comes from `SKILLS`, which reads meanings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from compt_core.demo.grammar import (
    ABSENT,
    SLOTS,
    Meaning,
    category,
    follows,
    likes,
    same_meaning,
    same_mood,
    same_part,
)
from compt_core.demo.lexicon import MEMBERS

Verdict = Callable[[Meaning, Meaning], bool | None]

# Skill -> its certified answer. The first three make the demo suite; the others only train the backbone.
SKILLS: Final[dict[str, Verdict]] = {
    "mood": same_mood,
    "meaning": same_meaning,
    "follows": follows,
    "actor": lambda one, two: same_part("person", one, two),
    "action": lambda one, two: same_part("action", one, two),
    "object": lambda one, two: same_part("thing", one, two),
    "place": lambda one, two: same_part("place", one, two),
    "liking": lambda one, two: likes(one),  # of one sentence: `two` is not read
}
NEEDS: Final[dict[str, tuple[int, ...]]] = {  # slots without which a skill has no answer
    "mood": (1,), "liking": (1,), "actor": (0,), "action": (1,), "object": (3,), "place": (5,),
    "meaning": (), "follows": (),
}
ALL_SLOTS: Final = (0, 1, 3, 4, 5)  # negation goes with the action
_LAYERED: Final = (0, 3, 4, 5)  # slots with something above: a category, or silence for qualities
_TARGET: Final = {"actor": 0, "action": 1, "object": 3, "place": 5}


class Pair(NamedTuple):
    """Two meanings and the synonym picks ([6] each) with which they are to be written."""

    first: Meaning
    second: Meaning
    picks1: tuple[int, ...]
    picks2: tuple[int, ...]


class Dice:
    """Uniform draws from a numpy Generator, fetched in blocks: a scalar draw costs a tenth."""

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

    def pick(self, weights: tuple[float, ...]) -> int:
        """An index, drawn by `weights`, which sum to 1."""
        left = self.uniform()
        for index, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return index
        return len(weights) - 1


# What happens at the slot in focus, by label: (both low, both high, first low, second low), and with
# what chance another slot differs. "Low" is a member, "high" its category. Balance per column:
# first low and second low must add up alike under both labels.
_FOLLOWS: Final = {True: (0.40, 0.30, 0.30, 0.00), False: (0.20, 0.10, 0.50, 0.20)}
_MEANING: Final = {True: (0.55, 0.45, 0.00, 0.00), False: (0.30, 0.20, 0.25, 0.25)}
_LEVEL: Final = {True: (0.55, 0.45, 0.00, 0.00), False: (0.55, 0.45, 0.00, 0.00)}  # follows, negated
HIGH: Final = 0.25  # chance that a slot out of focus is vague


def draw(dice: Dice, skill: str, want: bool, slots: tuple[int, ...] = ALL_SLOTS, negated: float = 0.5) -> Pair:
    """A pair on which `SKILLS[skill]` answers `want`.

    Parts other than `slots` are left out; `negated` is the chance of a negation, and only at 0.5 says
    negation nothing about the label.
    """
    steered = skill in ("meaning", "follows")
    while True:
        first = _meaning(dice, slots, negated)
        if steered:
            pair = _steered(dice, first, skill, want, slots)
        else:
            pair = _loose(dice, first, skill, want, slots, negated)
        if SKILLS[skill](pair.first, pair.second) is want:
            return pair


def _steered(dice: Dice, first: Meaning, skill: str, want: bool, slots: tuple[int, ...]) -> Pair:
    """For skills that weigh the whole sentence: two slots differ in words, at most two in meaning."""
    layered = [slot for slot in _LAYERED if slot in slots]
    focus = layered[dice.below(len(layered))] if layered else slots[dice.below(len(slots))]
    table = _MEANING if skill == "meaning" else _LEVEL if first[2] else _FOLLOWS
    move = dice.pick(table[want]) if layered else 0
    one, two = list(first), list(first)
    low = dice.below(MEMBERS[SLOTS[focus]])
    high = category(SLOTS[focus], low)
    one[focus] = low if move in (0, 2) else high
    two[focus] = low if move in (0, 3) else high
    others = [slot for slot in (*slots, 2) if slot != focus and (slot != 2 or 1 in slots)]
    second = others[dice.below(len(others))] if others else focus
    must = not want and not (move == 3 or (move == 2 and skill == "meaning"))
    if must or (not want and dice.uniform() < 0.3):
        if move == 2 and focus != 4 and dice.uniform() < 0.35:
            second = focus  # "the chef" against "the child": the wrong category
        if second == 4 and one[4] == ABSENT:
            second = focus
        two[second] = _sibling(dice, second, two[second])
    picks1, picks2 = _picks(dice), _picks(dice)
    for slot in (focus, second):
        picks2[slot] = 1 - picks1[slot]
    return Pair(Meaning(*one), Meaning(*two), tuple(picks1), tuple(picks2))


def _loose(dice: Dice, first: Meaning, skill: str, want: bool, slots: tuple[int, ...], negated: float) -> Pair:
    """For skills that read one part: all other parts are related at random."""
    other = _meaning(dice, slots, negated)
    two = [mine if dice.uniform() < 0.5 else his for mine, his in zip(first, other, strict=True)]
    if skill in _TARGET:
        slot = _TARGET[skill]
        two[slot] = first[slot] if want else _sibling(dice, slot, first[slot])
    elif skill == "mood":
        two[2] = other.negated
        two[1] = other.action % 4 + (0 if (likes(first) == want) != bool(other.negated) else 4)
    elif likes(first) is not want:
        first = first._replace(action=(first.action + 4) % 8)
    return Pair(first, Meaning(*two), tuple(_picks(dice)), tuple(_picks(dice)))


def _meaning(dice: Dice, slots: tuple[int, ...], negated: float) -> Meaning:
    parts = [ABSENT, ABSENT, 0, ABSENT, ABSENT, ABSENT]
    for slot in slots:
        name = SLOTS[slot]
        code = dice.below(MEMBERS[name])
        parts[slot] = category(name, code) if slot in _LAYERED and dice.uniform() < HIGH else code
    if 1 in slots:
        parts[2] = int(dice.uniform() < negated)
    return Meaning(*parts)


def _sibling(dice: Dice, slot: int, code: int) -> int:
    """Another concept of the same level; the opposite for negation; a silent quality stays silent."""
    if slot == 2:
        return 1 - code
    if code == ABSENT:
        return code
    members = MEMBERS[SLOTS[slot]]
    if code >= members:
        return 2 * members + 1 - code
    return (code + 1 + dice.below(members - 1)) % members


def _picks(dice: Dice) -> list[int]:
    return [dice.below(2) for _ in SLOTS]
