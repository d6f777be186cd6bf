"""Every error that a person can cause or cure, each with a message that says what to do.

Callers catch :class:`ComptError` in exactly one place (the command line's ``main``, the
dashboard's ``guarded`` and the worker's ``_train``); anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from dataclasses import dataclass


class ComptError(Exception):
    """A problem described in one plain sentence; ``str(error)`` is what the person reads."""


class DataError(ComptError):
    """A data file or data set that is missing, empty or does not fit its task."""


class BackboneError(ComptError):
    """A backbone that cannot be found, is not a T5, or must not be loaded."""


class HubError(DataError):
    """The datasets hub did not answer, whatever was asked of it."""


class StoreError(ComptError):
    """A run or experiment that the store does not hold, or cannot change as asked."""


class UnknownId(StoreError):
    """An id that the store does not hold, or does not hold any more."""


class DiskError(StoreError):
    """A disk that is full, failing or suddenly read-only: nothing is wrong with what was asked for."""


OF_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})  # what a disk says that is full or failing


def unusable(what: str, error: OSError) -> StoreError:
    """The error for a part of the home folder that cannot be used at all; `what` says which."""
    reason = f"{what}: {error.strerror or error}."
    if error.errno in OF_DISK:
        return DiskError(f"{reason} Free some space on its disk or mend it, then try again.")
    return StoreError(f"{reason} Set COMPT_HOME to a folder on a local disk that you may write to.")


class LostStore(DiskError):
    """The store's file is not the one that was opened: deleted or moved, or `replaced` by another meanwhile."""

    def __init__(self, message: str, *, replaced: bool = False):
        self.replaced = replaced
        super().__init__(message)


class Damaged(StoreError):
    """A row of the store that cannot be read: what it is (`noun`), the name that finds it, and why.

    Lists leave such rows out and return them separately, as values.
    """

    def __init__(self, noun: str, name: str, why: str, cure: str):
        self.noun, self.name, self.why = noun, name, why
        super().__init__(f"The {noun} '{name}' cannot be read: {why}. {cure}")


@dataclass(frozen=True)
class Issue:
    """One problem with one setting: ``field`` (its name, ``""`` for the whole) and a full sentence."""

    field: str
    message: str


class ConfigError(ComptError):
    """All problems of one set of settings, reported together.

    ``issues`` keeps them apart, so that a form can show each at its field.
    """

    def __init__(self, issues: Iterable[Issue]):
        self.issues = tuple(issues)
        super().__init__(" ".join(issue.message for issue in self.issues))


def nearest(word: str, known: Iterable[str]) -> str:
    """``" Did you mean 'x'?"`` for the known word closest to `word`, or ``""`` when none is close."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(word)[:100].lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean '{by_lower[close[0]]}'?" if close else ""


def quoted(value: object, limit: int = 80) -> str:
    """`value` as Python writes it, cut to `limit` characters: one readable line, whatever was typed."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 2]}…{text[-1]}"


def plural(count: int, noun: str) -> str:
    """``"1 run"``, ``"2 runs"``, ``"1,200 runs"``: every count in a sentence, so that none reads "1 runs"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
