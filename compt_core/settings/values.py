"""Settings as people write them: files, single values, lists of numbers; read by `plain`. Loads no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from compt_core.errors import ConfigError, Issue
from compt_core.settings import plain
from compt_core.settings.plain import NotPlain

MAX_RANGE = 100_000  # a range of more numbers is not written out
_ALSO = {"method": "methods", "seed": "seeds"}  # a run's names for settings of an experiment


class Refused(str):
    """Text for a setting that cannot be read as a value; `must` says which rule it breaks."""

    must: str


def read_yaml(path: Path, called: str = "settings file", *, words: bool = False) -> dict[str, Any]:
    """The settings in a YAML file that messages call `called`; with `words` every value is text as it stands.

    Raises ConfigError when it is missing, holds no mapping, or is not plain.
    """
    what = f"The {called} '{path}'"
    try:
        with path.open("rb") as file:
            data = file.read(plain.MOST_CHARACTERS + 1)  # a device may never end
        text = data.decode("utf-8-sig") if len(data) <= plain.MOST_CHARACTERS else " " * len(data)
    except UnicodeDecodeError:
        raise _issue(f"{what} is not text in UTF-8. Give a YAML file.") from None
    except (OSError, ValueError) as error:  # a NUL in its name
        raise _issue(f"{what} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    return parse_yaml(text, what, words=words)


def parse_yaml(text: str, what: str, *, words: bool = False) -> dict[str, Any]:
    """As :func:`read_yaml`, of the text of a file that messages call `what`."""
    try:
        loaded = plain.read(text, words=words)
    except NotPlain as error:
        raise _issue(f"{what} must {error.must}. {error.got}.{error.where}") from None
    except yaml.YAMLError as error:
        raise _issue(f"{what} is not valid YAML: {_reason(error)}.") from None
    except ValueError as error:
        raise _issue(f"{what} cannot be read: {error}.") from None
    if not isinstance(loaded, dict):
        got = "nothing" if loaded is None else f"a {type(loaded).__name__}"
        raise _issue(f"{what} must hold lines of the form 'name: value'. Got {got} instead.")
    return loaded


def parse_value(text: str, name: str = "") -> Any:
    """A value typed on the command line, in a link or in the form, for the setting `name`: number, list, word, empty.

    Text that is not YAML counts as a word. YAML that is not plain becomes :class:`Refused`, so that the message about
    the setting can say why.
    """
    try:
        value = plain.read(text, name)
    except NotPlain as error:
        refused = Refused(text)
        refused.must = error.must
        return refused
    except yaml.YAMLError:
        return text
    return text if value is None and text.strip() not in plain.EMPTY else value  # a lone comment is not 'empty'


def in_digits(value: Any) -> str:
    """How to write an integer that was written another way, such as 0x10, 1_000 or 5.0; "" for anything else."""
    with suppress(ValueError):
        if isinstance(value, str) and len(value) <= plain.LONGEST_NUMBER and plain.number(value) is None:
            return f" Write {int(value, 0)}, in decimal digits."
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            return f" Write {int(value)}, without a point or an exponent."
    return ""


def field_of(name: str) -> str:
    """An experiment's name for the setting `name`."""
    return _ALSO.get(name, name)


def by_field(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Settings from one source under an experiment's names. Raises ConfigError where two names mean one setting."""
    twice = [name for name, field in _ALSO.items() if name in raw and field in raw]
    if twice:
        raise ConfigError([Issue(_ALSO[name], f"The settings must name '{_ALSO[name]}' once. Got '{name}' as well, "
                                              "which means the same; leave one of them out.") for name in twice])
    whole = {name.encode("utf-8", "backslashreplace").decode(): value for name, value in raw.items()}
    return {field_of(name): value for name, value in whole.items()}  # a terminal can give names that are not Unicode


def for_all(method_settings: Mapping[str, Mapping[str, Any]], names: Collection[str]) -> dict[str, dict[str, Any]]:
    """The settings of single methods, without those in `names`, which are to hold for all methods."""
    return {method: {k: v for k, v in own.items() if k not in names} for method, own in method_settings.items()}


def as_words(value: Any) -> Any:
    """``"a, b"`` -> ``["a", "b"]``. Anything else passes."""
    if not isinstance(value, str) or isinstance(value, Refused):
        return value
    return [part for word in value.split(",") if (part := word.strip())]


def as_phases(value: Any) -> Any:
    """``"a,b+c"`` -> ``[["a"], ["b", "c"]]``, and a list of such words likewise. Anything else passes."""
    parts = as_words(value)
    if not isinstance(parts, list | tuple):
        return value
    return [[word for one in part.split("+") if (word := one.strip())]
            if isinstance(part, str) and not isinstance(part, Refused) else part for part in parts]


def as_list(value: Any, most: int = MAX_RANGE) -> Any:
    """``8`` -> ``[8]``; ``"8,16"`` -> ``[8, 16]``; ``"0-9"`` -> ``[0, …, 9]``. Anything else passes.

    Raises ValueError for ranges of more than `most` numbers.
    """
    if isinstance(value, bool | Refused) or value is None:
        return value
    if isinstance(value, int | float):
        return [value]
    if not isinstance(value, str):
        return value
    items: list[str | int] = []
    for part in as_words(value):
        first, dash, last = part.partition("-")
        ends = _whole(first), _whole(last)
        if dash and ends[0] is not None and ends[1] is not None and ends[0] <= ends[1]:
            if len(items) + ends[1] - ends[0] > most:
                raise ValueError("more numbers than any setting has")
            items += range(ends[0], ends[1] + 1)
        else:
            found = _whole(part)
            items.append(part if found is None else found)
    return items


def _whole(text: str) -> int | None:
    """The number in text that has only the digits 0 to 9; None for other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= plain.LONGEST_NUMBER else None


def as_text(values: Sequence[object], comma: str = ",") -> str:
    """A list in the form that :func:`as_list` reads; three or more numbers in a row make a range: ``"0-9,12"``."""
    rows: list[list[object]] = [[one] for one in values[:1]]
    for before, one in pairwise(values):
        if isinstance(before, int) and isinstance(one, int) and one == before + 1 > 0:
            rows[-1].append(one)
        else:
            rows.append([one])
    return comma.join(f"{row[0]}-{row[-1]}" if len(row) > 2 else comma.join(map(str, row)) for row in rows)


def has_bool(value: Any) -> bool:
    """Whether `value` is a truth value, or a list that holds one at any depth."""
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(has_bool, value)))


def _reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', None) or 'unreadable'}"
    return " ".join(str(error).split())[:200].rstrip(".")


def _issue(message: str) -> ConfigError:
    return ConfigError([Issue("config", message)])
