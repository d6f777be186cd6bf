"""Counterfactual edits of an example as a growing list, each with the variant it was made from. Pure; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compt_core.errors import ConfigError, Issue
from compt_core.whatif.texts import Texts, difference, replaced, words

MOST = 50  # variants in a list
WORDS = 60  # words that are left out in turn, at most


@dataclass(frozen=True)
class Variant:
    """One example of a list: its number (from 0), the number of the variant it was made from (None: from nothing), what
    changed, its texts, and its number among the dev rows if it is one."""

    number: int
    parent: int | None
    change: str
    texts: Texts
    row: int | None = None


def find(variants: Sequence[Variant], texts: Texts) -> Variant | None:
    """The variant with these texts, if any."""
    return next((one for one in variants if one.texts == texts), None)


def grown(variants: Sequence[Variant], before: Texts, row: int | None, after: Texts, columns: Sequence[str]
          ) -> tuple[Variant, ...]:
    """The list with `after`, made from `before` (dev row `row`, or typed), which is added first if the list lacks it.
    A text that is already there is not added again. Raises ConfigError beyond MOST variants."""
    found, parent = list(variants), find(variants, before)
    if parent is None:
        parent = Variant(len(found), None, "typed" if row is None else f"dev row {row}", before, row)
        found.append(parent)
    if find(found, after) is None:
        found.append(Variant(len(found), parent.number, difference(before, after, columns), after))
    if len(found) > MOST:
        raise ConfigError([Issue("variants", f"The list of edits must have at most {MOST} variants. Got {len(found)} "
                                             "instead; download the list as CSV, clear it and go on.")])
    return tuple(found)


def without_each(texts: Texts) -> list[tuple[int, str, Texts]]:
    """(index of the text, word, texts without it) for each of the first WORDS words."""
    return [(word.text, word.written, replaced(texts, word, "")) for word in words(texts)[:WORDS]]
