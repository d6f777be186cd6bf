"""Settings as they are written by people: YAML files and single values. Loads no torch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from compt_core.errors import ConfigError, Issue, quoted

# What PyYAML raises on text that is no YAML: its own errors, ValueError on a date such as 2024-13-45 or
# on an endless number, RecursionError on a thousand open brackets.
_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)
MAX_RANGE = 100_000  # a longer range of numbers is not even written out


def read_yaml(path: Path) -> dict[str, Any]:
    """The settings in a YAML file. Raises ConfigError when it is missing, no mapping, or says a thing twice."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _issue(f"The settings file '{path}' is not text in UTF-8. Give a YAML file.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _issue(f"The settings file '{path}' cannot be read: {reason}.") from None
    try:
        loaded = yaml.safe_load(text)
        tree = yaml.compose(text, yaml.SafeLoader)
    except _NOT_YAML as error:
        raise _issue(f"The settings file '{path}' is not valid YAML: {_reason(error)}.") from None
    if not isinstance(loaded, dict):
        got = "nothing" if loaded is None else f"a {type(loaded).__name__}"
        raise _issue(f"The settings file '{path}' must hold lines of the form 'name: value'. Got {got} instead.")
    strange = next((key for key in loaded if not isinstance(key, str)), None)
    if strange is not None:
        raise _issue(f"The settings file '{path}' must name each setting by a word. Got {quoted(strange)} instead.")
    twice = [key for key, count in Counter(node.value for node, _ in tree.value).items() if count > 1]
    if twice:
        raise _issue(f"The settings file '{path}' must name each setting once. Got {quoted(twice[0])} twice.")
    return loaded


def parse_value(text: str) -> Any:
    """A value typed on the command line or in a URL: YAML's notion of numbers, lists and empty."""
    try:
        return yaml.safe_load(text)
    except _NOT_YAML:
        return text


def as_list(value: Any) -> Any:
    """``8`` -> ``[8]``; ``"8,16"`` -> ``[8, 16]``; ``"0-9"`` -> ``[0, …, 9]``. Anything else passes."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return [value]
    if not isinstance(value, str):
        return value
    items: list[str | int] = []
    for part in (p.strip() for p in value.split(",")):
        first, dash, last = part.partition("-")
        if dash and first.isdigit() and last.isdigit() and 0 <= int(last) - int(first) <= MAX_RANGE:
            items += range(int(first), int(last) + 1)
        elif part:
            items.append(int(part) if part.isdigit() else part)
    return items


def has_bool(value: Any) -> bool:
    """Whether `value` is a truth value, or a list that holds one at any depth."""
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(has_bool, value)))


def _reason(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', None) or 'unreadable'}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return " ".join(str(error).split())[:200].rstrip(".")


def _issue(message: str) -> ConfigError:
    return ConfigError([Issue("config", message)])
