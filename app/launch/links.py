"""Links that open Launch with given settings: draft -> query parameters -> draft, pure.

A link names a preset and what differs from it, a parameter per setting and each named as ``--set`` names it:
``?preset=demo&shots=8,16&sources=4``. As on the command line, what is given holds for all methods. A link comes
from anybody: what cannot be shown in its field is left out and said so; all else is kept, right or wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

from app.ui import drafts
from app.ui.address import left_out
from app.ui.stored import FROM
from compt_core.errors import ConfigError, Issue, quoted
from compt_core.methods.table import METHODS
from compt_core.settings.config import Experiment, allowed_values, parse_value
from compt_core.settings.presets import PRESETS
from compt_core.settings.values import field_of, in_digits

PRESET = "preset"
LISTS = ("tasks", "methods", "shots", "seeds")
MOST_CHARACTERS = 2000  # of one setting, as in the form
_LARGEST = 2**53 - 1  # a browser's numbers are exact up to here


def parameters(draft: Mapping[str, Any]) -> dict[str, str]:
    """The shortest link to a draft: the preset it is nearest to, and what differs from that."""
    return min((_over(preset, draft) for preset in PRESETS), key=lambda found: len(address("", found)))


def address(page: str, found: Mapping[str, str]) -> str:
    """`found` as an address below `page`, with commas and brackets as they are: to be read by people, too."""
    return f"{page}?{urlencode(found, safe=',:[]{}/', quote_via=quote)}"


def gathered(given: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], list[Issue]]:
    """The parameters of an address, one text a name: the parts of a list joined, and what else stands twice left out
    and said."""
    query = {name: ",".join(texts) for name, texts in given.items() if len(texts) == 1 or field_of(name) in LISTS}
    return query, [Issue(name, f"This link gives '{name}' {len(texts):,} times: left out.")
                   for name, texts in given.items() if name not in query]


def read(query: Mapping[str, str], start: Mapping[str, Any]) -> tuple[dict[str, Any], list[Issue]]:
    """The draft that a link asks for over `start`, and what it asks for in vain, by field ("" for none)."""
    given: dict[str, str] = {}
    for name, text in query.items():
        if name not in (PRESET, FROM):
            field = field_of(name)  # method= and methods= are two parts of one list
            given[field] = f"{given[field]},{text}" if field in given else text
    unknown = [name for name in given if name not in Experiment.model_fields]
    values: dict[str, Any] = {}
    found: list[Issue] = []
    for name in (name for name in Experiment.model_fields if name in given):
        try:
            values[name] = _checked(name, given[name])
        except ConfigError as error:
            found += error.issues
    draft = {**start, "method_settings": _without(start["method_settings"], values), **values}
    if unknown:
        found.append(Issue("", left_out(unknown, "no setting of an experiment", Experiment.model_fields)))
    return draft, found


@cache
def _preset(name: str) -> Mapping[str, Any]:
    return MappingProxyType(drafts.from_preset(name))


def _over(preset: str, draft: Mapping[str, Any]) -> dict[str, str]:
    start = _preset(preset)
    here, there = ({name: _text(name, one[name]) for name in start} for one in (draft, start))
    single = drafts.own_names(start["method_settings"]) - drafts.own_names(draft["method_settings"])  # now of all
    names = [name for name in start if name != "method_settings" and (here[name] != there[name] or name in single)]
    said = {PRESET: preset, **{name: here[name] for name in names}}
    own = draft["method_settings"] or ""
    return said if own == _without(start["method_settings"], names) else said | {"method_settings": own}


def _without(method_settings: str, names: Any) -> str:
    for name in names:
        method_settings = drafts.for_all(method_settings, name)
    return method_settings


def _text(name: str, value: Any) -> str:
    """A widget's value as it stands in a link; lists without spaces."""
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    text = "" if value is None else str(value)
    return re.sub(r"\s*,\s*", ",", text.strip()) if name in LISTS else text


def _checked(name: str, text: str) -> Any:
    """What the field's widget holds for `text`. Raises ConfigError for what it cannot hold."""
    if len(text) > MOST_CHARACTERS:
        raise ConfigError([Issue(name, f"This link gives {len(text):,} characters for '{name}', more than "
                                       f"{MOST_CHARACTERS:,}: left out.")])
    try:
        return _value(name, text)
    except ValueError:
        hint = in_digits(text) if drafts.kind(name).number else ""
        raise ConfigError([Issue(name, f"The '{name}' setting of this link must be {allowed_values(name)}. "
                                       f"Got {quoted(text)} instead, which is left out.{hint}")]) from None


def _value(name: str, text: str) -> Any:
    kind = drafts.kind(name)
    if name in LISTS:
        return _listed(name, text)
    if name == "attention":
        return text
    if kind.choices:
        if text not in kind.choices:
            raise ValueError(text)
        return text
    if kind.number is not None:
        return _number(text, kind)
    return text


def _listed(name: str, text: str) -> Any:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if name in ("shots", "seeds"):
        return ", ".join(words)
    if name == "methods" and not set(words) <= METHODS.keys():
        raise ValueError(text)
    return list(dict.fromkeys(words))


def _number(text: str, kind: drafts.Kind) -> int | float | None:
    value = parse_value(text)
    if value is None:  # an empty field; where it must not be, the form says so
        return None
    allowed = int if kind.number is int else int | float
    if isinstance(value, bool) or not isinstance(value, allowed) or abs(value) > _LARGEST:
        raise ValueError(text)
    return int(value) if kind.number is int else float(value)
