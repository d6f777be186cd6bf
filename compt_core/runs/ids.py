"""Ids of runs, experiments, fleets and edits: random, short enough for a link, and checked wherever they come in."""

from __future__ import annotations

import secrets
import string

from compt_core.errors import UnknownId

ID_LENGTH = 10
_ALPHABET = string.ascii_lowercase + string.digits


def new_id() -> str:
    """A random id that fits into a URL: ten lower-case letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))


def check_id(value: object, noun: str) -> str:
    """`value` as an id. Raises UnknownId, since ids come from links and command lines and can be anything."""
    if is_id(value):
        return str(value)
    raise unknown(value, noun)


def is_id(value: object) -> bool:
    """Whether :func:`new_id` could have made `value`."""
    return isinstance(value, str) and len(value) == ID_LENGTH and set(value) <= set(_ALPHABET)


def unknown(value: object, noun: str) -> UnknownId:
    """The error for an id that the store does not hold, with control characters escaped and long ids cut."""
    shown = repr(value)
    shown = shown if len(shown) <= 40 else shown[:37] + "…'"
    return UnknownId(f"There is no {noun} {shown} in this store. Take the id from the list of runs.")
