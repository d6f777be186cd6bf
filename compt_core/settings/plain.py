"""Plain YAML: the one reader of all text that becomes settings (files, command line, links, form). Loads no torch.

Values are those of the core schema of YAML 1.2, with decimal numbers only: a date, `yes`, `1:30` or `0x10` is a word,
and `010` is ten. Anchors, aliases, tags and repeated names are refused, and so is text that is longer, deeper or richer
in values than settings can be. All this is checked before anything is built from the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

import yaml

from compt_core.errors import quoted

MOST_CHARACTERS = 200_000  # a matrix of 64 x 64 weights takes half of them
MOST_VALUES = 10_000  # names included
DEEPEST = 10  # nested lists and mappings; the matrix of a single method needs four
LONGEST_NUMBER = 100  # characters
# Settings that are text, even if it is all digits.
TEXT = frozenset({"tasks", "methods", "backbone", "data_dir", "phases", "init", "after"})
EMPTY = frozenset({"", "~", "null", "Null", "NULL"})
_NAMED: dict[str, bool | None] = {
    **dict.fromkeys(EMPTY), **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False)}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_HALF = re.compile("[\ud800-\udfff]")  # no text file can hold one alone, but an escape can name it
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class NotPlain(Exception):
    """YAML that settings must not contain: what it must do, what it has instead, and where."""

    def __init__(self, must: str, got: str, mark: Any = None):
        self.must, self.got = must, got
        self.where = "" if mark is None else f" See line {mark.line + 1}, column {mark.column + 1}."
        super().__init__(must)


def read(text: str, name: str = "", *, words: bool = False) -> Any:
    """The value that `text` gives the setting `name`; None if it holds no value. With `words`, every single value and
    every name is text as it stands.

    Raises NotPlain, and yaml.YAMLError for text that is not YAML.
    """
    check_length(len(text))
    events = _checked(text)
    first = next(events, None)
    value = None if first is None else _value(first, events, name, _word if words else _scalar)
    for _ in events:  # what follows the value is checked as well
        pass
    return value


def check_length(length: int) -> None:
    """Raises NotPlain for more characters than settings can have."""
    if length > MOST_CHARACTERS:
        raise NotPlain(f"have at most {MOST_CHARACTERS:,} characters", "Got more")


def number(text: str) -> int | float | None:
    """`text` as a decimal number: an integer, or a finite number with a point or an exponent. None for other text."""
    if len(text) > LONGEST_NUMBER:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    found = _REAL.fullmatch(text)
    if not found:
        return None
    value, above_zero = float(text), re.search("[1-9]", found[1])
    return None if math.isinf(value) or (value == 0 and above_zero) else value  # 1e999, 1e-999: not what was typed


def _checked(text: str) -> Iterator[yaml.Event]:
    """The parts of the one value in `text`, each checked before the next is read. Raises NotPlain."""
    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
        mark, tag, anchor = event.start_mark, getattr(event, "tag", None), getattr(event, "anchor", None)
        if anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            raise NotPlain("hold no anchors and no aliases", f"Got {quoted(sign + anchor)}", mark)
        if tag is not None:
            shown = quoted(tag.replace("tag:yaml.org,2002:", "!!", 1))
            raise NotPlain("hold no tags", f"Got {shown}", mark)
        if _HALF.search(getattr(event, "value", "")):
            raise NotPlain("hold whole characters only", f"Got {quoted(event.value)}", mark)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > DEEPEST:
            raise NotPlain(f"nest lists and mappings at most {DEEPEST} deep", "Got more", mark)
        if documents > 1:
            raise NotPlain("hold one document", "Got a second one", mark)
        if count > MOST_VALUES:
            raise NotPlain(f"hold at most {MOST_VALUES:,} values", "Got more", mark)
        if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            yield event


def _value(event: yaml.Event, events: Iterator[yaml.Event], name: str, scalar: Callable[[yaml.ScalarEvent, str], Any]
           ) -> Any:
    """The value that begins with `event`, for the setting `name`; its parts are taken from `events`."""
    if isinstance(event, yaml.ScalarEvent):
        return scalar(event, name)
    parts = takewhile(lambda part: not isinstance(part, yaml.CollectionEndEvent), events)
    if isinstance(event, yaml.SequenceStartEvent):
        return [_value(part, events, name, scalar) for part in parts]
    found: dict[str, Any] = {}
    for part in parts:
        key = scalar(part, "") if isinstance(part, yaml.ScalarEvent) else [part]
        if not isinstance(key, str):
            got = "a list or a mapping" if isinstance(key, list) else part.value or "nothing"
            raise NotPlain("name each setting by a word", f"Got {got} instead", part.start_mark)
        if key in found:
            raise NotPlain("name each setting once", f"Got {quoted(key)} twice", part.start_mark)
        found[key] = _value(next(events), events, key, scalar)
    return found


def _word(event: yaml.ScalarEvent, name: str) -> str:
    return str(event.value)


def _scalar(event: yaml.ScalarEvent, name: str) -> Any:
    """A single value. Anything in quotes is text, and so is a number for a setting that is text."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _NAMED:
        return _NAMED[text]
    found = None if name in TEXT else number(text)
    return text if found is None else found
