"""What names of files say: which are parts of one table, and which hold training or dev rows. Pure; loads no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MOST_PARTS = 1000
_PART = re.compile(r"(.+)-([0-9]{1,6})-of-([0-9]{1,6})(\.[^.]+)")  # as the hub calls its files
_TRAIN = ("train", "training")
_DEV = (("dev", "devel", "development"), ("validation", "valid", "val"), ("trial",), ("test",))  # the likeliest first


def parts_of(name: str) -> tuple[str, ...]:
    """The files that the name of the first one stands for: NAME-00000-of-00002.ENDING is two."""
    found = _PART.fullmatch(name)
    if not found or not 1 < int(found[3]) <= MOST_PARTS:
        return (name,)
    numbers = range(int(found[2]), int(found[2]) + int(found[3]))
    return tuple(f"{found[1]}-{number:0{len(found[2])}}-of-{found[3]}{found[4]}" for number in numbers)


def first_parts(names: Iterable[str]) -> list[str]:
    """The names with one, the lowest, for all parts of a table."""
    tables = dict[tuple[str, ...], str]()
    for name in sorted(names):
        found = _PART.fullmatch(name)
        tables.setdefault((found[1], found[3], found[4]) if found and len(parts_of(name)) > 1 else (name,), name)
    return list(tables.values())


def training(names: Sequence[str]) -> list[str]:
    """Of some tables those that are called after training rows: one, or several that nothing tells apart."""
    return _best(names, (_TRAIN,), _DEV)


def held_out(names: Sequence[str]) -> list[str]:
    """As :func:`training`, of the dev rows."""
    return _best(names, _DEV, (_TRAIN,))


def _best(names: Sequence[str], words: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> list[str]:
    """The names with the likeliest of `words` and none of `others`, a name that is the word alone first."""
    found = dict[str, tuple[int, bool, bool]]()
    for name in names:
        said = _words(name)
        rank = next((rank for rank, group in enumerate(words) if said & set(group)), None)
        if rank is not None and not any(said & set(group) for group in others):
            found[name] = rank, "mismatched" in said, len(said) > 1  # MNLI has dev rows of two kinds
    return [name for name, rank in found.items() if rank == min(found.values())]


def _words(name: str) -> set[str]:
    part = _PART.fullmatch(name)
    return set(filter(None, re.split(r"[_.\s-]+", (part[1] if part else name.rpartition(".")[0]).lower())))
