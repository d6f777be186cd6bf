"""What the demo backbone is taught: rows of token ids, drawn from a seed and a step. No torch.

A lesson is "TAG SKILL STYLE sentence1: … sentence2: … </s>" -> "LABEL </s>". The style names the set of label words;
sometimes it is left out, and then any of its sets may be used. Two requests give a denser signal, which teaches in one
row what yes and no teach in many. With "<why>" the label is followed by the relation of every part of the two meanings
(or by the word where a broken sentence goes wrong); with "<words>" it is followed by the first synonym of every part.
The tag is a random task prefix, so that it is trained but says nothing. To let a prompt find a skill in small steps,
the skill's word is often soft, part noise and part another skill. The prefix often stands among noise positions, as it
will later stand among prompt vectors. A few lessons are span corruption: a part of the second text must be filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from compt_core.demo.vocabulary import (
    EOS,
    SENTINELS,
    TAGS,
    UNK,
    WHY,
    WORDS,
    skill_token,
    style_token,
    taught_styles,
    vocabulary,
)
from compt_core.language.cases import GRADES, SKILLS, Case, draw_case, draw_orders, explain, normal_form
from compt_core.language.pairs import ALL_SLOTS, Dice, Scope
from compt_core.language.suites import held_out_sentences, held_out_templates

NOISE: Final = -1  # in inputs: a position that is filled with a random vector
STAGES: Final = len(ALL_SLOTS)
MOST_SHARED: Final = 0.45  # largest share of another skill in a soft one
STYLES_A_STAGE: Final = 3  # sets of label words that each stage adds for a skill; the last has them all


class Soft(NamedTuple):
    """A softened skill word: at position `at` of the inputs, a `share` of its vector is another skill's vector."""

    at: int
    other: int
    share: float


class Lesson(NamedTuple):
    """One row: input ids (NOISE for random vectors), target ids, skill, number of slots.

    skill is "" in rows that do not count for a skill's accuracy: spans, and lessons that do not name their label words.
    """

    inputs: list[int]
    targets: list[int]
    skill: str
    slots: int
    soft: Soft | None = None


class Mix(NamedTuple):
    """The mix of lessons; `stage` is the largest number of slots, 1 to STAGES. The other numbers are shares.

    weights   how often each skill is taught, relative to the others; 1 if it is not named
    members   largest number of members of a slot that are used
    more      lessons that ask for every part's relation or for the normal form after the label
    unstyled  lessons that do not name their label words
    soft      lessons that name the skill by a vector near its word's instead of the word itself
    noise     lessons with 1 to 8 noise positions in the prefix
    spans     lessons of span corruption
    replay    lessons with any number of slots up to the stage, instead of the stage's own number
    """

    stage: int
    weights: Mapping[str, float] = MappingProxyType({})
    members: int = 1000
    more: float = 0.5
    unstyled: float = 0.15
    soft: float = 0.2
    noise: float = 0.3
    spans: float = 0.05
    replay: float = 0.25


def lesson(dice: Dice, mix: Mix, skill: str | None = None) -> Lesson:
    """A random lesson; of one skill if named."""
    while True:
        size = mix.stage if not dice.chance(mix.replay) else 1 + dice.below(mix.stage)
        spans = skill is None and dice.chance(mix.spans)
        able = [name for name, known in SKILLS.items() if len(known.needs) <= size]
        chosen = "meaning" if spans else skill or _weighted(dice, able, mix.weights)
        if chosen not in able:
            continue
        needs = SKILLS[chosen].needs
        rest = [slot for slot in ALL_SLOTS if slot not in needs]
        slots = tuple(sorted([*needs, *dice.mix(rest)[:size - len(needs)]]))
        orders = draw_orders(dice, chosen)
        if orders in held_out_templates()[chosen]:
            continue
        want = 1 if spans else dice.below(SKILLS[chosen].labels)
        case = draw_case(dice, chosen, want, Scope(slots, mix.members), orders)
        if not held_out_sentences().isdisjoint(map(" ".join, case.texts)):
            continue
        if spans:
            return _span_lesson(dice, case.texts[0], case.texts[1], size)
        asked, more = _more(dice, mix, chosen, case)
        label = round(case.answer * 5) if SKILLS[chosen].labels == GRADES else int(case.answer)
        styled = not dice.chance(mix.unstyled)
        styles = taught_styles(chosen)
        style = styles[dice.below(min(len(styles), STYLES_A_STAGE * mix.stage))]
        named = [skill_token(chosen), *asked, *([style_token(style)] if styled else [])]
        target = _ids([style[label], *more, EOS])
        inputs = [*_prefix(dice, mix, named), *_fields(case.texts)]
        return Lesson(inputs, target, chosen if styled else "", size, _soft(dice, mix, inputs, chosen))


def _more(dice: Dice, mix: Mix, skill: str, case: Case) -> tuple[list[str], tuple[str, ...]]:
    """(what else the lesson asks for, what follows the label)."""
    if not dice.chance(mix.more):
        return [], ()
    if skill == "sound" or (len(case.texts) == 2 and dice.chance(0.5)):
        return [WHY], explain(skill, case)
    return [WORDS], normal_form(skill, case)


def _prefix(dice: Dice, mix: Mix, named: Sequence[str]) -> list[int]:
    """Ids in front of the texts: a random tag, then the named words in any order, perhaps among noise."""
    ids = _ids(named)
    if dice.chance(mix.noise):
        ids += [NOISE] * (1 + dice.below(8))
    return [_tag(dice), *dice.mix(ids)]


def _soft(dice: Dice, mix: Mix, inputs: Sequence[int], skill: str) -> Soft | None:
    if not dice.chance(mix.soft):
        return None
    own, other = _ids([skill_token(skill), skill_token(list(SKILLS)[dice.below(len(SKILLS))])])
    return Soft(inputs.index(own), other, MOST_SHARED * dice.uniform())


def _weighted(dice: Dice, names: Sequence[str], weights: Mapping[str, float]) -> str:
    own = [weights.get(name, 1.0) for name in names]
    total = sum(own)
    return names[dice.pick(tuple(weight / total for weight in own))]


def _span_lesson(dice: Dice, first: list[str], second: list[str], size: int) -> Lesson:
    start = dice.below(len(second))
    stop = min(len(second), start + 1 + dice.below(3))
    corrupted = [*second[:start], SENTINELS[0], *second[stop:]]
    target = [SENTINELS[0], *second[start:stop], SENTINELS[1], EOS]
    return Lesson([_tag(dice), *_fields((first, corrupted))], _ids(target), "", size)


def _fields(texts: Sequence[Sequence[str]]) -> list[int]:
    """Ids from the first field name to </s>, in the format of the tasks."""
    names = ("sentence:",) if len(texts) == 1 else ("sentence1:", "sentence2:")
    return _ids([word for name, text in zip(names, texts, strict=True) for word in (name, *text)] + [EOS])


def _tag(dice: Dice) -> int:
    """A random task prefix; sometimes <unk>, which stands for the prefixes of other people's tasks."""
    index = dice.below(len(TAGS) + 1)
    return vocabulary_ids()[TAGS[index] if index < len(TAGS) else UNK]


def _ids(words: Sequence[str]) -> list[int]:
    known = vocabulary_ids()
    return [known[word] for word in words]


@lru_cache(maxsize=1)
def vocabulary_ids() -> dict[str, int]:
    """`vocabulary()`, built once."""
    return vocabulary()


def lessons(seed: int, step: int, count: int, mix: Mix, skill: str | None = None) -> list[Lesson]:
    """`count` lessons: the same for the same seed, step and mix, whatever was drawn before."""
    dice = Dice(np.random.default_rng([seed, step]))
    return [lesson(dice, mix, skill) for _ in range(count)]
