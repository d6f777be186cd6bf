"""The rows of a comparison in the launch form, pure: methods that are chosen, and lines of text for all else.

A line such as "pt-long: method=pt prompt_length=10" is a row of its own. A line under a method's own name gives the
chosen method its settings; it counts for nothing while the method is not chosen, and is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from compt_core.methods.table import METHODS
from compt_core.settings.variants import as_line, is_plain, read_line


def from_variants(variants: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], str]:
    """(methods that are chosen, lines) that ask for the rows of an experiment."""
    lines = [as_line(name, own) for name, own in variants.items() if not is_plain(name, own)]
    return [name for name in variants if name in METHODS], "\n".join(lines)


def to_lines(methods: Sequence[str], text: str) -> list[str]:
    """Every row that the form asks for as a line."""
    named = {_name(line): line for line in _lines(text) if _name(line) in METHODS}
    return [*(named.get(method, as_line(method, {"method": method})) for method in methods),
            *(line for line in _lines(text) if _name(line) not in METHODS)]


def resting(methods: Collection[str], text: str) -> list[str]:
    """The methods that have a line and are not chosen."""
    return [name for name in map(_name, _lines(text)) if name in METHODS and name not in methods]


def own_values(methods: Sequence[str], text: str, field: str) -> dict[str, Any]:
    """Row -> its own value of a setting, for the rows that have one."""
    return {name: own[field] for name, own in map(_read, to_lines(methods, text)) if field in own}


def own_fields(text: str) -> set[str]:
    """The settings of which a row has a value of its own."""
    return {field for line in _lines(text) for field in _read(line)[1] if field != "method"}


def for_all(text: str, field: str) -> str:
    """The lines without a setting that is to hold for all rows; as typed where no line has it."""
    if field not in own_fields(text):
        return text
    kept = []
    for line in _lines(text):
        name, own = _read(line)
        left = {key: value for key, value in own.items() if key != field}
        if field not in own:
            kept.append(line)
        elif not is_plain(name, left):
            kept.append(as_line(name, left))
    return "\n".join(kept)


def of_method_settings(settings: Any) -> str | None:
    """Lines for what links of older versions call method_settings; None for what is no settings by method."""
    if not isinstance(settings, Mapping) or not all(isinstance(own, Mapping) for own in settings.values()):
        return None
    return "\n".join(as_line(str(name), {"method": name, **own}) for name, own in settings.items())


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _name(line: str) -> str:
    return line.partition(":")[0].strip()


@lru_cache(maxsize=128)
def _read(line: str) -> tuple[str, Mapping[str, Any]]:
    """A line's name and settings; nothing of a line that is none. Kept, as each field of a form asks."""
    return read_line(line, []) or ("", {})
