"""Skills: what can be asked about one or two texts, the certified answer, and how to draw texts for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from compt_core.errors import DataError
from compt_core.language import pairs, relations
from compt_core.language.grammar import (
    ABSENT,
    ORDERS,
    SLOTS,
    VOICES,
    Meaning,
    Question,
    parse,
    parse_question,
    punctuate,
    question_words,
    words,
)
from compt_core.language.lexicon import ACTIONS, CONCEPTS
from compt_core.language.pairs import ACTION, PERSON, PLACE, THING, Dice, Pair, Scope
from compt_core.language.relations import OPPOSITE, SAME

NOTHING: Final = "nothing"  # in a normal form, for what is not said
LIKES, DISLIKES = "+", "-"  # attitudes in a normal form
GRADES: Final = 26  # 0.0 to 5.0 in steps of 0.2, as in STS-B
Answer = int | float
_WHOLE: Final = (PERSON, ACTION, THING, PLACE)  # what every statement and question has


class Skill(NamedTuple):
    """One question that can be asked.

    labels  number of answers: 2 (no, yes), 3, or GRADES for a number
    fields  how each text is read: "statement", "question", or "text" (any words)
    needs   slots that must be filled for an answer
    judge   the certified answer to what was read (an index, or 0–5); None where people would disagree
    """

    labels: int
    fields: tuple[str, ...]
    needs: tuple[int, ...]
    judge: Callable[..., Answer | bool | None]


class Case(NamedTuple):
    """Texts as words, the answer, and the pair of meanings behind them (with one text, only the first counts).

    fault  in a broken sentence the verb of the wrong verb group, else NOTHING
    """

    texts: tuple[list[str], ...]
    answer: Answer
    pair: Pair
    fault: str = NOTHING


def _part(slot: str) -> Callable[[Meaning, Meaning], bool | None]:
    return lambda one, two: relations.same_part(slot, one, two)


def _sides(one: Meaning, two: Meaning) -> int:
    """0 if both are favourable, 1 for one of each, 2 if both are unfavourable."""
    return 2 - relations.likes(one) - relations.likes(two)


def _contrast(one: Meaning, two: Meaning) -> float:
    return relations.TOP - relations.similarity(one, two)


def _likes(text: int) -> Callable[..., bool]:
    return lambda *meanings: relations.likes(meanings[text])


def _denied(text: int) -> Callable[..., bool]:
    return lambda *meanings: bool(meanings[text].negated)


def _of_kind(text: int, slot: str, number: int) -> Callable[..., bool]:
    return lambda *meanings: relations.kind(slot, getattr(meanings[text], slot)) == number


def is_sentence(text: str) -> bool:
    """Whether the language has this sentence."""
    try:
        parse(text)
    except DataError:
        return False
    return True


_PAIR: Final = ("statement", "statement")
SKILLS: Final[Mapping[str, Skill]] = MappingProxyType({
    "mood": Skill(2, _PAIR, (ACTION,), relations.same_mood),
    "meaning": Skill(2, _PAIR, (), relations.same_meaning),
    "follows": Skill(2, _PAIR, (), relations.follows),
    "actor": Skill(2, _PAIR, (PERSON,), _part("person")),
    "action": Skill(2, _PAIR, (ACTION,), _part("action")),
    "object": Skill(2, _PAIR, (THING,), _part("thing")),
    "place": Skill(2, _PAIR, (PLACE,), _part("place")),
    "verdict": Skill(3, _PAIR, (ACTION,), relations.verdict),
    "sides": Skill(3, _PAIR, (ACTION,), _sides),
    "similarity": Skill(GRADES, _PAIR, (), relations.similarity),
    "contrast": Skill(GRADES, _PAIR, (), _contrast),
    "overlap": Skill(GRADES, _PAIR, (), relations.overlap),
    # about one text of a pair: more rules that a prompt may find, so that a few rows leave it in doubt
    "likes1": Skill(2, _PAIR, (ACTION,), _likes(0)), "likes2": Skill(2, _PAIR, (ACTION,), _likes(1)),
    "denied1": Skill(2, _PAIR, (ACTION,), _denied(0)), "denied2": Skill(2, _PAIR, (ACTION,), _denied(1)),
    "worker1": Skill(2, _PAIR, (PERSON,), _of_kind(0, "person", 0)),
    "worker2": Skill(2, _PAIR, (PERSON,), _of_kind(1, "person", 0)),
    "animal1": Skill(2, _PAIR, (THING,), _of_kind(0, "thing", 0)),
    "animal2": Skill(2, _PAIR, (THING,), _of_kind(1, "thing", 0)),
    "inside1": Skill(2, _PAIR, (PLACE,), _of_kind(0, "place", 0)),
    "inside2": Skill(2, _PAIR, (PLACE,), _of_kind(1, "place", 0)),
    "asks": Skill(2, ("question", "question"), _WHOLE, relations.same_question),
    "answers": Skill(2, ("question", "statement"), _WHOLE, relations.answers),
    "liking": Skill(2, ("statement",), (ACTION,), relations.likes),
    "sound": Skill(2, ("text",), _WHOLE, is_sentence),
})
_SLOT_OF: Final = {"actor": PERSON, "action": ACTION, "object": THING, "place": PLACE}
_READERS: Final[dict[str, Callable[[str], Any]]] = {"statement": parse, "question": parse_question, "text": str}


def certify(skill: str, *texts: str) -> Answer | None:
    """The answer of a skill on texts as people read them; None where people would disagree.

    Raises DataError if a text is not in the language.
    """
    fields = SKILLS[skill].fields
    answer = SKILLS[skill].judge(*(_READERS[field](text) for field, text in zip(fields, texts, strict=True)))
    return int(answer) if isinstance(answer, bool) else answer


def draw_orders(dice: Dice, skill: str) -> tuple[int, ...]:
    """A word order for each text of a skill."""
    return tuple(dice.below(len(VOICES if field == "question" else ORDERS)) for field in SKILLS[skill].fields)


def draw_case(dice: Dice, skill: str, want: int, scope: Scope, orders: tuple[int, ...]) -> Case:
    """A case of a skill with the answer `want` (an index; a graded skill draws its answer itself)."""
    while True:
        case = _draw(dice, skill, want, scope, orders)
        if case is not None and (SKILLS[skill].labels == GRADES or case.answer == want):
            return case


def _draw(dice: Dice, skill: str, want: int, scope: Scope, orders: tuple[int, ...]) -> Case | None:
    if skill in ("asks", "answers"):
        return _draw_question(dice, skill, want, scope, orders)
    if skill == "sound":
        pair = pairs.draw_loose(dice, scope, negated=0.3)
        text = words(pair.first, orders[0], pair.picks1)
        fault = NOTHING
        if not want:
            text, fault = damage(dice, text)
        return Case((text,), int(is_sentence(punctuate(text))), pair, fault)
    if skill == "mood":
        pair = pairs.draw_mood(dice, bool(want), scope)
    elif skill == "meaning":
        pair = pairs.draw_equal(dice, bool(want), scope)
    elif skill == "follows":
        pair = pairs.draw_wider(dice, bool(want), scope)
    elif skill == "verdict":
        pair = pairs.draw_verdict(dice, want, scope)
    elif SKILLS[skill].labels == GRADES:
        pair = pairs.draw_graded(dice, scope)
    elif skill in _SLOT_OF:
        pair = pairs.draw_part(dice, _SLOT_OF[skill], bool(want), scope)
    else:
        pair = pairs.draw_loose(dice, scope)
    meanings = (pair.first, pair.second)[:len(orders)]
    answer = SKILLS[skill].judge(*meanings)
    if answer is None:
        return None
    texts = tuple(words(meaning, order, picks) for meaning, order, picks
                  in zip(meanings, orders, (pair.picks1, pair.picks2), strict=False))
    return Case(texts, int(answer) if isinstance(answer, bool) else answer, pair)


def _draw_question(dice: Dice, skill: str, want: int, scope: Scope, orders: tuple[int, ...]) -> Case | None:
    """Two questions, or a question (the second of the pair) and a statement (the first)."""
    both = skill == "asks"
    pair = (pairs.draw_equal if both else pairs.draw_wider)(dice, bool(want), scope, 0.0)
    pair, (other, asked) = pairs.draw_question(dice, pair._replace(second=pair.second._replace(negated=0)),
                                               bool(want), both=both)
    question = Question(asked, pair.second)
    if both:
        first = Question(other, pair.first)
        texts = (question_words(first, orders[0], pair.picks1), question_words(question, orders[1], pair.picks2))
        return Case(texts, int(relations.same_question(first, question)), pair)
    texts = (question_words(question, orders[0], pair.picks2), words(pair.first, orders[1], pair.picks1))
    answer = relations.answers(question, pair.first)
    return None if answer is None else Case(texts, int(answer), pair)


def damage(dice: Dice, text: list[str]) -> tuple[list[str], str]:
    """The words with one fault in the verb group, and the group's verb. The fault is a wrong form of the verb, a wrong
    or missing auxiliary, or a missing or extra "by". Other faults would need a finer sense of position than a model of
    this size has."""
    broken = list(text)
    verb = next(i for i, word in enumerate(text) if word in _OTHER_FORM)
    auxiliary = next((i for i, word in enumerate(text) if word in _OTHER_AUXILIARY), None)
    kind = dice.below(3)
    if kind == 0 or (kind == 1 and auxiliary is None):
        broken[verb] = _OTHER_FORM[text[verb]]
    elif kind == 1 and auxiliary is not None:
        if dice.chance(0.5):
            broken[auxiliary] = _OTHER_AUXILIARY[text[auxiliary]]
        else:
            del broken[auxiliary]
    elif text[verb + 1] == "by":
        del broken[verb + 1]
    else:
        broken.insert(verb + 1, "by")
    return broken, broken[verb] if broken[verb] in _OTHER_FORM else broken[verb - 1]


_OTHER_FORM: Final = {form: other for action in ACTIONS for base, past in action
                      for form, other in ((base, past), (past, base))}
_OTHER_AUXILIARY: Final = {"was": "did", "did": "was", "wasn't": "didn't", "didn't": "wasn't"}


def explain(skill: str, case: Case) -> tuple[str, ...]:
    """For two texts, whether the attitudes agree and the relation of every part that is said; for one, its fault."""
    if len(SKILLS[skill].fields) < 2:
        return (case.fault,)
    first, second = case.pair.first, case.pair.second
    found, said = relations.relations(first, second), _said(case)
    mood = [SAME if relations.same_mood(first, second) else OPPOSITE] if "action" in said else []
    return (*mood, *(found[slot] for slot in said))


def normal_form(skill: str, case: Case) -> tuple[str, ...]:
    """Each text's attitude, then the first synonym of every part that is said, NOTHING for silence; part by part."""
    meanings, said = (case.pair.first, case.pair.second)[:len(SKILLS[skill].fields)], _said(case)
    attitudes = [LIKES if relations.likes(meaning) else DISLIKES for meaning in meanings] if "action" in said else []
    return (*attitudes, *(_word(meaning, slot) for slot in said for meaning in meanings))


def _said(case: Case) -> list[str]:
    """The slots that either meaning fills; negation goes with the action."""
    first, second = case.pair.first, case.pair.second
    said = [one != ABSENT or two != ABSENT for one, two in zip(first, second, strict=True)]
    said[SLOTS.index("negated")] = said[ACTION]
    return [slot for slot, here in zip(SLOTS, said, strict=True) if here]


def _word(meaning: Meaning, slot: str) -> str:
    code = meaning[SLOTS.index(slot)]
    if slot == "negated":
        return "not" if code else NOTHING
    return NOTHING if code == ABSENT else CONCEPTS[slot][code][0]
