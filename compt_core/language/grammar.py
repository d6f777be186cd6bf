"""Sentences of the demo language: what they mean, how they are written, and how they are read back.

A statement says that a person did (or did not do) something to a thing, at a place and perhaps in a season: "In the
cellar, the chef didn't praise the big dog in spring." A question asks for one part of that, or whether it is so: "Where
was the big dog praised by the chef?". Labels are certified by reading: :func:`parse` and :func:`parse_question` turn
text into meanings, and :mod:`compt_core.language.relations` compares these. How a sentence was generated does not
matter.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from compt_core.errors import DataError, plural, quoted
from compt_core.language.lexicon import ACTIONS, CONCEPTS, FUNCTION_WORDS, MEMBERS, content_words

ABSENT: Final = -1
ORDERS: Final = ("active", "active, place first", "passive", "passive, place first")
VOICES: Final = ("active", "passive")  # word orders of a question


class Meaning(NamedTuple):
    """What a sentence says. Codes index `lexicon.CONCEPTS`; ABSENT = not said.

    A statement may lack only `quality` and `time`, and a question also the part that it asks for. Other parts are
    absent only in fragments.
    """

    person: int
    action: int
    negated: int  # 1 = did not happen
    thing: int
    quality: int
    place: int
    time: int


class Question(NamedTuple):
    """A question about `about`, never negated; `asked` is one of ASKED and is absent in `about`."""

    asked: str
    about: Meaning


SLOTS: Final = Meaning._fields
ASKED: Final = ("whether", "person", "thing", "place", "time")
_ASKING: Final = {"thing": "what", "place": "where", "time": "when"}


def as_text(written: Sequence[str], order: int, *, question: bool = False) -> str:
    """Words as a sentence for people; a place in front, "in the cellar" or "indoors", gets a comma.

    `order` is the word order they were written in: an index of ORDERS, or of VOICES for a question.
    """
    front = 0 if question or order % 2 == 0 else 3 if written[0] == "in" else 1
    return punctuate(written, front, "?" if question else ".")


def punctuate(written: Sequence[str], comma: int = 0, end: str = ".") -> str:
    """Words as a sentence: with a capital, a comma after the first `comma` words, and `end`."""
    text = " ".join(written)
    if comma:
        cut = len(" ".join(written[:comma]))
        text = f"{text[:cut]},{text[cut:]}"
    return f"{text[:1].upper()}{text[1:]}{end}"


def plain(text: str) -> list[str]:
    """The words of a text, lower case and without punctuation, as the tokenizer leaves them."""
    return re.sub(r"[.,;!?]+(?=\s|$)", "", text.lower().replace("’", "'")).split()


def words(meaning: Meaning, order: int, picks: Sequence[int]) -> list[str]:
    """The words of a statement, lower case and without punctuation."""
    person, thing, place = _person(meaning, picks), _thing(meaning, picks), _place(meaning, picks)
    action: list[str] = []
    if meaning.action != ABSENT:
        base, past = ACTIONS[meaning.action][picks[1]]
        auxiliary = ("was", "wasn't") if order >= 2 else ("did", "didn't")
        if meaning.negated:
            action = [auxiliary[1]] if picks[2] else [auxiliary[0], "not"]
        elif order >= 2:
            action = ["was"]
        action.append(past if order >= 2 or not meaning.negated else base)
    body = [*thing, *action, *_by(person)] if order >= 2 else [*person, *action, *thing]
    return [*(place if order % 2 else []), *body, *([] if order % 2 else place), *_time(meaning, picks)]


def question_words(question: Question, voice: int, picks: Sequence[int]) -> list[str]:
    """The words of a question, lower case and without punctuation."""
    asked, about = question
    person, thing = _person(about, picks), _thing(about, picks)
    base, past = ACTIONS[about.action][picks[1]]
    adjuncts = [*_place(about, picks), *_time(about, picks)]
    if asked == "person":
        return ["by", "whom", "was", *thing, past, *adjuncts] if voice else ["who", past, *thing, *adjuncts]
    first = [_ASKING[asked]] if asked in _ASKING else []
    if voice:
        return [*first, "was", *thing, past, *_by(person), *adjuncts]
    return [*first, "did", *person, base, *thing, *adjuncts]


def _person(meaning: Meaning, picks: Sequence[int]) -> list[str]:
    return [] if meaning.person == ABSENT else ["the", CONCEPTS["person"][meaning.person][picks[0]]]


def _thing(meaning: Meaning, picks: Sequence[int]) -> list[str]:
    if meaning.thing == ABSENT:
        return []
    quality = [] if meaning.quality == ABSENT else [CONCEPTS["quality"][meaning.quality][picks[4]]]
    return ["the", *quality, CONCEPTS["thing"][meaning.thing][picks[3]]]


def _by(person: list[str]) -> list[str]:
    return ["by", *person] if person else []


def _place(meaning: Meaning, picks: Sequence[int]) -> list[str]:
    if meaning.place == ABSENT:
        return []
    word = CONCEPTS["place"][meaning.place][picks[5]]
    return [word] if meaning.place >= MEMBERS["place"] else ["in", "the", word]


def _time(meaning: Meaning, picks: Sequence[int]) -> list[str]:
    return [] if meaning.time == ABSENT else ["in", CONCEPTS["time"][meaning.time][picks[6]]]


# Each word has a kind, one letter; a sentence is read by matching its string of kinds.
_KINDS: Final[dict[str, tuple[str, int]]] = {
    **{word: (kind, 0) for word, kind in zip(FUNCTION_WORDS, "tibwxdenWMARE", strict=True)},
    **{word: (kind, code) for slot, kind in {"person": "P", "thing": "T", "quality": "Q", "time": "S"}.items()
       for code, concept in enumerate(CONCEPTS[slot]) for word in concept},
    **{word: ("L" if code < MEMBERS["place"] else "O", code)
       for code, concept in enumerate(CONCEPTS["place"]) for word in concept},
    **{form: (kind, code) for code, action in enumerate(ACTIONS) for synonym in action
       for kind, form in zip("BV", synonym, strict=True)},
}
_PLACE, _TIME, _THING = "(?:itL|O)", "(?:iS)?", "tQ?T"
_ACTIVE, _PASSIVE = f"tP(?:V|dnB|eB){_THING}", f"{_THING}(?:wV|wnV|xV)btP"
_STATEMENT: Final = re.compile("|".join(
    f"{_PLACE}{body}{_TIME}|{body}{_PLACE}{_TIME}" for body in (_ACTIVE, _PASSIVE)))
_QUESTIONS: Final = {
    "whether": re.compile(f"(?:dtPB{_THING}|w{_THING}VbtP){_PLACE}{_TIME}"),
    "person": re.compile(f"(?:WV{_THING}|bMw{_THING}V){_PLACE}{_TIME}"),
    "thing": re.compile(f"A(?:dtPB|wVbtP){_PLACE}{_TIME}"),
    "place": re.compile(f"R(?:dtPB{_THING}|w{_THING}VbtP){_TIME}"),
    "time": re.compile(f"E(?:dtPB{_THING}|w{_THING}VbtP){_PLACE}"),
}
_DENIED: Final = {"was": ("wasn't",), "wasn't": ("was",), "did": ("didn't",), "didn't": ("did",)}
_FIELD: Final = {"P": 0, "B": 1, "V": 1, "T": 3, "Q": 4, "L": 5, "O": 5, "S": 6}


def parse(text: str) -> Meaning:
    """The meaning of a statement. Raises DataError for a word or a word order outside the language."""
    kinds, found = _read(text)
    if not _STATEMENT.fullmatch(kinds):
        raise DataError(f"{quoted(text)} is not a sentence of the demo language, such as 'In the cellar, the chef "
                        "didn't praise the big dog in spring.'")
    return found


def parse_question(text: str) -> Question:
    """The meaning of a question. Raises DataError for a word or a word order outside the language."""
    kinds, found = _read(text)
    for asked, shape in _QUESTIONS.items():
        if shape.fullmatch(kinds):
            return Question(asked, found)
    raise DataError(f"{quoted(text)} is not a question of the demo language, such as 'Where was the big dog praised "
                    "by the chef?'")


def same_kind(word: str) -> tuple[str, ...]:
    """The other words that can replace a word; for "was" and "did" their denial. () for a word outside the language."""
    bare = word.lower()
    kind = _KINDS.get(bare, ("", 0))[0]
    return _DENIED.get(bare) or tuple(other for other, (same, _) in _KINDS.items() if same == kind and other != bare)


def unknown_words(text: str) -> list[str]:
    """The words of `text` that the language does not have, each once."""
    return [word for word in dict.fromkeys(plain(text)) if word not in _KINDS]


def check_words(text: str) -> None:
    """Raises DataError naming every word of `text` that the language lacks, and the nearest words that it has."""
    unknown = unknown_words(text)
    if not unknown:
        return
    named = [f"{quoted(word, 30)}{_near(word)}" for word in unknown[:5]]
    if len(unknown) > 5:
        named.append(plural(len(unknown) - 5, "more word"))
    raise DataError(f"The demo language has no word {' or '.join(filter(None, (', '.join(named[:-1]), named[-1])))}. "
                    f"It has {len(_KINDS)} words, such as {', '.join(content_words()[:6])}.")


def _near(word: str) -> str:
    close = difflib.get_close_matches(word[:100], _KINDS, n=2, cutoff=0.75)
    return f" (near: {', '.join(close)})" if close else ""


def _read(text: str) -> tuple[str, Meaning]:
    """(kinds of the words, what they name); their order is not checked yet."""
    check_words(text)
    kinds, found = "", [ABSENT, ABSENT, 0, ABSENT, ABSENT, ABSENT, ABSENT]
    for word in plain(text):
        kind, code = _KINDS[word]
        kinds += kind
        if kind in _FIELD:
            found[_FIELD[kind]] = code
        elif kind in "nxe":
            found[SLOTS.index("negated")] = 1
    return kinds, Meaning(*found)
