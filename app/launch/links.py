"""Links that open Launch with given settings: draft -> query parameters -> draft, pure.

A link names a preset and the settings that differ from it, one parameter per setting, named as in ``--set``:
``?preset=demo&shots=8,16&sources=4``. As on the command line, these settings hold for all methods. Anybody can write
a link. A value that its field cannot show is left out, with a note; everything else is kept, right or wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

from app.ui import drafts, rows
from app.ui.address import left_out
from app.ui.stored import FROM
from compt_core.errors import ConfigError, Issue, quoted
from compt_core.methods.table import METHODS
from compt_core.settings.config import allowed_values, parse_value
from compt_core.settings.presets import PRESETS
from compt_core.settings.values import field_of, in_digits

PRESET = "preset"
LISTS = ("tasks", "methods", "shots", "seeds")
_OLDER = "method_settings"  # links of older versions have this for variants
MOST_CHARACTERS = 2000  # of one setting, as in the form
_LARGEST = 2**53 - 1  # a browser's numbers are exact up to here


def parameters(draft: Mapping[str, Any]) -> dict[str, str]:
    """The shortest link to a draft: the nearest preset, and what differs from it."""
    return min((_over(preset, draft) for preset in PRESETS), key=lambda found: len(address("", found)))


def address(page: str, found: Mapping[str, str]) -> str:
    """`found` as an address below `page`, with commas and brackets unescaped, so that people can read it."""
    return f"{page}?{urlencode(found, safe=',:[]{}/', quote_via=quote)}"


def gathered(given: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], list[Issue]]:
    """The parameters of an address, one text per name, and the problems. The parts of a list are joined; any other name
    that is given twice is left out."""
    query = {name: ",".join(texts) for name, texts in given.items() if len(texts) == 1 or field_of(name) in LISTS}
    return query, [Issue(name, f"This link gives '{name}' {len(texts):,} times, so it is left out. Give it once.")
                   for name, texts in given.items() if name not in query]


def read(query: Mapping[str, str], start: Mapping[str, Any]) -> tuple[dict[str, Any], list[Issue]]:
    """The draft that a link makes of `start`, and its problems by field ("" for a problem of no field)."""
    given: dict[str, str] = {}
    for name, text in query.items():
        if name not in (PRESET, FROM):
            field = field_of(name)  # method= and methods= are two parts of one list
            given[field] = f"{given[field]},{text}" if field in given else text
    if _OLDER in given:
        text = given.pop(_OLDER)
        lines = rows.of_method_settings(parse_value(text, _OLDER))  # other text stays as it is, to be corrected
        given["variants"] = "\n".join([*([given["variants"]] if "variants" in given else []),
                                       text if lines is None else lines])
    unknown = [name for name in given if name not in drafts.FIELDS]
    values: dict[str, Any] = {}
    found: list[Issue] = []
    for name in (name for name in drafts.FIELDS if name in given):
        try:
            values[name] = _checked(name, given[name])
        except ConfigError as error:
            found += error.issues
    draft = {**start, "variants": _without(start["variants"], values), **values}
    if unknown:
        found.append(Issue("", left_out(unknown, "An experiment has no setting of that name", drafts.FIELDS)))
    return draft, found


@cache
def _preset(name: str) -> Mapping[str, Any]:
    return MappingProxyType(drafts.from_preset(name))


def _over(preset: str, draft: Mapping[str, Any]) -> dict[str, str]:
    start = _preset(preset)
    here, there = ({name: _text(name, one[name]) for name in start} for one in (draft, start))
    single = rows.own_fields(start["variants"]) - rows.own_fields(draft["variants"] or "")  # now for all
    names = [name for name in start if name != "variants" and (here[name] != there[name] or name in single)]
    said = {PRESET: preset, **{name: here[name] for name in names}}
    lines = draft["variants"] or ""
    return said if lines == _without(start["variants"], names) else said | {"variants": lines}


def _without(lines: str, names: Any) -> str:
    for name in names:
        lines = rows.for_all(lines, name)
    return lines


def _text(name: str, value: Any) -> str:
    """A widget's value as a link writes it; lists without spaces."""
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    text = "" if value is None else str(value)
    return re.sub(r"\s*,\s*", ",", text.strip()) if name in LISTS else text


def _checked(name: str, text: str) -> Any:
    """The value of the field's widget for `text`. Raises ConfigError for text that the widget cannot show."""
    if len(text) > MOST_CHARACTERS:
        raise ConfigError([Issue(name, f"This link gives {len(text):,} characters for '{name}', which may have at most "
                                       f"{MOST_CHARACTERS:,}. It is left out.")])
    try:
        return _value(name, text)
    except ValueError:
        hint = in_digits(text) if name not in LISTS and drafts.kind(name).number else ""
        raise ConfigError([Issue(name, f"The '{name}' setting of this link must be {allowed_values(name)}. "
                                       f"Got {quoted(text)} instead; it is left out.{hint}")]) from None


def _value(name: str, text: str) -> Any:
    if name in LISTS:
        return _listed(name, text)
    if name in ("attention", "variants"):
        return text
    kind = drafts.kind(name)
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
    if value is None:  # an empty field; the form says where it must not be
        return None
    allowed = int if kind.number is int else int | float
    if isinstance(value, bool) or not isinstance(value, allowed) or abs(value) > _LARGEST:
        raise ValueError(text)
    return int(value) if kind.number is int else float(value)
