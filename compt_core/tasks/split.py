"""Dev rows split off from rows that have no dev split. Pure; the same on every machine.

Rows whose texts are equal, in any order and whatever their white space and case, stay on one side. Each label gives the
same share, as far as that allows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from compt_core.tasks.spec import Row

_BINS = 5  # of a numeric task, in place of labels


def split_off(rows: Sequence[Row], share: float, seed: int, numeric: bool = False
              ) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """(train, dev): about `share` of the rows of each label go to dev, and both sides keep the order of `rows`.

    Both sides get at least one row where there are two that differ in their texts. A row's place in the draw is the
    sha256 of `seed` and its texts, so it depends on nothing else in the data.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        groups.setdefault(_same(row), []).append(number)
    strata: dict[int, list[tuple[str, ...]]] = {}
    low, high = min((row.value for row in rows), default=0.0), max((row.value for row in rows), default=0.0)
    for key, members in groups.items():
        first = rows[members[0]]
        bin_ = min(_BINS - 1, int(_BINS * (first.value - low) / (high - low or 1.0)))
        strata.setdefault(bin_ if numeric else first.label, []).append(key)
    dev = set[int]()
    for _, keys in sorted(strata.items()):
        wanted = share * sum(len(groups[key]) for key in keys)
        taken = 0
        for key in sorted(keys, key=lambda key: _draw(seed, key))[: len(keys) - 1]:  # a label keeps a row to train on
            if taken + len(groups[key]) / 2 > wanted:
                break
            dev |= set(groups[key])
            taken += len(groups[key])
    if not dev and len(groups) > 1:
        dev = set(groups[min(groups, key=lambda key: _draw(seed, key))])
    return tuple(row for number, row in enumerate(rows) if number not in dev), \
        tuple(rows[number] for number in sorted(dev))


def _same(row: Row) -> tuple[str, ...]:
    return tuple(sorted(" ".join(text.split()).casefold() for text in row.texts))


def _draw(seed: int, key: tuple[str, ...]) -> str:
    return hashlib.sha256(repr((seed, key)).encode("utf-8", "surrogatepass")).hexdigest()
