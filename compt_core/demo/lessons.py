"""What the demo backbone is taught: rows of token ids, drawn from a seed and a step. No torch.

A lesson is "TAG SKILL STYLE sentence1: … sentence2: … </s>" -> "LABEL </s>", with the pair of label
words named by the style. With "why:" the two concepts that decide follow the label, each written as
the first of its synonyms: a denser signal, which teaches in one row what yes and no teach in many. The
tag is a random task prefix, so that it is trained but says nothing. In a share of the lessons the
prefix stands among noise positions, as it will among prompt vectors. A few lessons are span
corruption: a part of the second sentence, which paraphrases the first, has to be filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from compt_core.demo.grammar import ABSENT, SLOTS, Meaning, category, words
from compt_core.demo.lexicon import CONCEPTS
from compt_core.demo.pairs import ALL_SLOTS, NEEDS, SKILLS, Dice, Pair, draw
from compt_core.demo.suites import SUITE, TEMPLATES, suite_rows
from compt_core.demo.vocabulary import (
    EOS,
    NOTHING,
    SENTINELS,
    TAGS,
    UNK,
    WHY,
    skill_token,
    style_token,
    vocabulary,
)

NOISE: Final = -1  # in inputs: a position that is filled with a random vector
STAGES: Final = len(ALL_SLOTS)
_SUITE_SKILLS: Final = frozenset(task.skill for task in SUITE)
_PART: Final = {"mood": 1, "liking": 1, "actor": 0, "action": 1, "object": 3, "place": 5}


class Lesson(NamedTuple):
    """One row: input ids (NOISE for random vectors), target ids, skill ("" = spans), number of slots."""

    inputs: list[int]
    targets: list[int]
    skill: str
    slots: int


class Mix(NamedTuple):
    """Shares of kinds of lessons; `stage` is the largest number of slots, 1 to STAGES.

    weights  how often each skill is taught, relative to the others; 1 where it is not named
    """

    stage: int
    weights: Mapping[str, float] = MappingProxyType({})
    why: float = 0.5
    negated: float = 0.5
    noise: float = 0.25
    spans: float = 0.08
    replay: float = 0.25


@lru_cache(maxsize=1)
def held_out() -> frozenset[str]:
    """Every sentence of the suite, train and dev, as its words; none may be taught."""
    return frozenset(
        sentence.lower().replace(",", "").rstrip(".")
        for task in SUITE for rows in suite_rows(task.name) for row in rows
        for sentence in (row.sentence1, row.sentence2))


def lesson(dice: Dice, mix: Mix, skill: str | None = None) -> Lesson:
    """A random lesson; of one skill if named."""
    while True:
        size = mix.stage if dice.uniform() >= mix.replay else 1 + dice.below(mix.stage)
        slots = _subset(dice, size)
        spans = skill is None and dice.uniform() < mix.spans
        able = [name for name, needs in NEEDS.items() if set(needs) <= set(slots)]
        chosen = "meaning" if spans else skill or _weighted(dice, able, mix.weights)
        if chosen not in able:
            continue
        want = spans or dice.below(2) == 1
        pair = draw(dice, chosen, want, slots, mix.negated)
        orders = _orders(dice, chosen)
        first, second = words(pair.first, orders[0], pair.picks1), words(pair.second, orders[1], pair.picks2)
        if size == STAGES and {" ".join(first), " ".join(second)} & held_out():
            continue
        if spans:
            return _span_lesson(dice, first, second, size)
        return _skill_lesson(dice, mix, chosen, want, pair, first, second, size)


def _weighted(dice: Dice, names: Sequence[str], weights: Mapping[str, float]) -> str:
    own = [weights.get(name, 1.0) for name in names]
    return names[dice.pick(tuple(weight / sum(own) for weight in own))]


def _subset(dice: Dice, size: int) -> tuple[int, ...]:
    """`size` of the slots, in order."""
    left = list(ALL_SLOTS)
    while len(left) > size:
        left.pop(dice.below(len(left)))
    return tuple(left)


def _orders(dice: Dice, skill: str) -> tuple[int, int]:
    """Word orders of both sentences; the suite's templates are held out from the suite's skills."""
    while True:
        orders = dice.below(4), dice.below(4)
        if skill not in _SUITE_SKILLS or orders not in TEMPLATES:
            return orders


def _skill_lesson(dice: Dice, mix: Mix, skill: str, want: bool, pair: Pair,
                  first: list[str], second: list[str], size: int) -> Lesson:
    ids = vocabulary_ids()
    styles = [index for index, task in enumerate(SUITE) if task.skill != skill]
    style = styles[dice.below(len(styles))]
    why = dice.uniform() < mix.why
    named = [ids[skill_token(skill)], ids[style_token(style)], *([ids[WHY]] if why else [])]
    if dice.uniform() < mix.noise:
        named += [NOISE] * (1 + dice.below(6))
    prefix = [_tag(dice), *_shuffled(dice, named)]
    text = _fields(first, None if skill == "liking" else second)
    target = [ids[SUITE[style].labels[want]]]
    if why:
        target += [ids[word] for word in _deciding_words(skill, want, pair)]
    return Lesson([*prefix, *text], [*target, ids[EOS]], skill, size)


def _span_lesson(dice: Dice, first: list[str], second: list[str], size: int) -> Lesson:
    ids = vocabulary_ids()
    start = dice.below(len(second))
    stop = min(len(second), start + 1 + dice.below(3))
    corrupted = [*second[:start], SENTINELS[0], *second[stop:]]
    target = [SENTINELS[0], *second[start:stop], SENTINELS[1], EOS]
    return Lesson([_tag(dice), *_fields(first, corrupted)], [ids[word] for word in target], "", size)


def _fields(first: list[str], second: list[str] | None) -> list[int]:
    """Ids from the first field name to </s>, as the tasks are rendered."""
    text = ["sentence:", *first] if second is None else ["sentence1:", *first, "sentence2:", *second]
    ids = vocabulary_ids()
    return [ids[word] for word in text] + [ids[EOS]]


def _tag(dice: Dice) -> int:
    """A random task prefix; now and then <unk>, which stands for the prefixes of other people's tasks."""
    index = dice.below(len(TAGS) + 1)
    return vocabulary_ids()[TAGS[index] if index < len(TAGS) else UNK]


def _shuffled(dice: Dice, items: list[int]) -> list[int]:
    left, out = list(items), []
    while left:
        out.append(left.pop(dice.below(len(left))))
    return out


def _deciding_words(skill: str, want: bool, pair: Pair) -> tuple[str, ...]:
    """The concepts of both sentences that settle the answer; NOTHING where no single part does."""
    if skill == "liking":
        return (_word(pair.first, _PART[skill]),)
    index = _PART.get(skill)
    if index is None:
        index = _deciding_part(skill, want, pair)
    return (NOTHING,) if index is None else (_word(pair.first, index), _word(pair.second, index))


def _deciding_part(skill: str, want: bool, pair: Pair) -> int | None:
    """The first part that differs; for "follows", differs as the answer needs: vaguer for yes, else for no."""
    for index, slot in enumerate(SLOTS):
        one, two = pair.first[index], pair.second[index]
        vaguer = skill == "follows" and index != 2 and two in (category(slot, one), ABSENT)
        if one != two and vaguer == want:
            return 1 if index == 2 else index
    return None


def _word(meaning: Meaning, index: int) -> str:
    """The first synonym of the concept at a part, NOTHING where the sentence is silent about it."""
    return NOTHING if meaning[index] == ABSENT else CONCEPTS[SLOTS[index]][meaning[index]][0]


@lru_cache(maxsize=1)
def vocabulary_ids() -> dict[str, int]:
    """`vocabulary()`, built once."""
    return vocabulary()


def lessons(seed: int, step: int, count: int, mix: Mix, skill: str | None = None) -> list[Lesson]:
    """`count` lessons: the same for the same seed, step and mix, whatever was drawn before."""
    dice = Dice(np.random.default_rng([seed, step]))
    return [lesson(dice, mix, skill) for _ in range(count)]


assert set(NEEDS) == set(SKILLS), "every skill must say which parts it needs"
