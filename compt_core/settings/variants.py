"""The rows of a comparison: named variants of methods, as people write them. Loads no torch.

A variant is a method with the settings in which it differs, written "pt-long: method=pt prompt_length=10" in a line of
text and {pt-long: {method: pt, prompt_length: 10}} in a file. A method's own name stands for the plain method.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from compt_core.errors import ConfigError, Issue, nearest, quoted
from compt_core.methods.table import METHODS
from compt_core.settings.values import Refused, as_words, for_all, parse_value

Variants = dict[str, dict[str, Any]]  # name -> {"method": …, setting: value}
DEFAULT_METHODS = ("pt", "mst", "spp")
NAMING = ("methods", "method_settings")  # settings of older files, and short forms of variants
FORM = "NAME: method=pt prompt_length=10"
MOST_NAME = 40  # characters of a name
TAKEN = frozenset({"majority", "no_prompt", "no prompt", "edited", "scores", "all", "none", "mean"})  # of other choices
_NAME = re.compile(r"[^\W_]([\w .+@%()=-]*[\w.+@%()=-])?")  # no slash: names are parts of keys in files


def plain(methods: Sequence[str], settings: Mapping[str, Mapping[str, Any]]) -> Variants:
    """A row for each method under its own name, with what `settings` has for it."""
    return {method: {"method": method, **settings.get(method, {})} for method in methods}


def is_plain(name: str, own: Mapping[str, Any]) -> bool:
    """Whether a variant is an unchanged method under its own name."""
    return dict(own) == {"method": name}


def of_raw(given: Mapping[str, Any], start: Mapping[str, Any]) -> Variants:
    """The rows that raw settings ask for over those of a preset.

    ``methods`` gives plain rows and ``variants`` named ones; if only variants are given, there are no other rows. What
    a preset or an older file sets for single methods (``method_settings``) holds for every row of that method, unless
    the row or the raw settings say otherwise. Raises ConfigError with every problem of the names.
    """
    problems: list[Issue] = []
    named = _read(given.get("variants"), problems)
    if given.get("variants") in ([], (), {}) and given.get("methods") is None:  # nobody writes that to get the default
        problems.append(Issue("variants", "The 'variants' setting of an experiment must have at least one row, such as "
                                          f"'{FORM}'. Got nothing instead; write one, or leave it out."))
    if given.get("methods") is not None:
        methods = _methods(given["methods"], problems)
    else:
        methods = [] if named else list(start.get("methods", DEFAULT_METHODS))
    settings = given.get("method_settings")
    if settings is not None and not _by_method(settings):
        problems.append(Issue("method_settings", "The 'method_settings' setting of an experiment must be settings by "
                                                 f"method, as in {{pt: {{lr_private: 0.3}}}}. Got {quoted(settings)} "
                                                 f"instead.{must(settings)}"))
        settings = {}
    elif settings is not None:
        problems += [Issue("method_settings", f"There is no method {quoted(name)} to give settings to."
                                              f"{nearest(name, METHODS)}") for name in settings if name not in METHODS]
    else:
        settings = for_all(start.get("method_settings", {}), given)
    problems += [Issue("variants", f"The names of the rows of a comparison must differ. Got {quoted(name)} twice; give "
                                   "one of them another name.") for name in named if name in methods]
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return plain(methods, settings) | {name: {"method": own["method"], **settings.get(own["method"], {}), **own}
                                       for name, own in named.items()}


def _methods(value: Any, problems: list[Issue]) -> list[str]:
    words = as_words(value)
    listed = list(words) if isinstance(words, list | tuple) else [words]
    known = [word for word in listed if isinstance(word, str) and word in METHODS]
    wrong = [word for word in listed if word not in known]
    if wrong or not listed or isinstance(value, Refused):
        got = quoted(wrong[0]) if wrong and wrong[0] is not None else "nothing"
        more = f", and {len(wrong) - 1:,} more like it" if len(wrong) > 1 else ""
        hint = nearest(wrong[0], METHODS) if wrong and isinstance(wrong[0], str) else ""
        known_ones = ", ".join(map(repr, METHODS))
        problems.append(Issue("methods", f"The 'methods' setting of an experiment must be one or more of {known_ones}. "
                                         f"Got {got} instead{more}.{must(value) or hint}"))
    problems += [Issue("methods", f"The 'methods' setting of an experiment must not repeat a value. Got {quoted(word)} "
                                  "twice.") for word in dict.fromkeys(known) if known.count(word) > 1]
    return list(dict.fromkeys(known))


def must(value: Any) -> str:
    """The rule that refused text breaks, as a sentence; "" for anything else."""
    return f" It must {value.must}." if isinstance(value, Refused) else ""


def _read(value: Any, problems: list[Issue]) -> Variants:
    """Named variants from a mapping, from lines, or from a text of lines; problems found go to `problems`."""
    if value is None or value == "":
        return {}
    if isinstance(value, str) and not isinstance(value, Refused):
        value = [line for line in value.splitlines() if line.strip()]
    if isinstance(value, Mapping):
        pairs: list[tuple[Any, Any]] = list(value.items())
    elif isinstance(value, list | tuple) and all(isinstance(line, str) for line in value):
        pairs = [pair for line in value if (pair := read_line(line, problems)) is not None]
    else:
        problems.append(Issue("variants", f"The 'variants' setting of an experiment must be lines such as '{FORM}', or "
                                          f"settings by name. Got {quoted(value)} instead.{must(value)}"))
        return {}
    found: Variants = {}
    for name, own in pairs:
        if isinstance(own, str) and isinstance(name, str):  # a line that YAML has read as a name and its value
            if (pair := read_line(f"{name}: {own}", problems)) is None:
                continue
            own = pair[1]
        problem = _problem(name, own) or (f"Got the variant {quoted(name)} twice; give one of them another name."
                                          if name in found else None)
        if problem:
            problems.append(Issue("variants", problem))
        else:
            found[name] = dict(own)
    return found


def read_line(line: str, problems: list[Issue]) -> tuple[str, dict[str, Any]] | None:
    """(name, settings) of a line of text. For a line that is not a variant: None, and its problem in `problems`."""
    name, colon, rest = line.partition(":")
    try:
        words = shlex.split(rest)
    except ValueError as error:  # a quote that is not closed
        problems.append(Issue("variants", f"The variant {quoted(line)} cannot be read: {str(error).lower()}."))
        return None
    pairs = [word.partition("=") for word in words]
    wrong = next((key + equals for key, equals, _ in pairs if not key or not equals), None)
    if not colon or not words or wrong is not None:
        got = quoted(line.strip())
        problems.append(Issue("variants", f"A variant must have the form '{FORM}'. Got {got} instead."))
        return None
    keys = [key for key, _, _ in pairs]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        problems.append(Issue("variants", f"The variant {quoted(name.strip())} sets {quoted(twice)} twice; leave one "
                                          "of them out."))
        return None
    return name.strip(), {key: text if key == "method" else parse_value(text, key) for key, _, text in pairs}


def _problem(name: Any, own: Any) -> str | None:
    """What is wrong with a variant's name, or with the method it names."""
    if not isinstance(name, str) or len(name) > MOST_NAME or not _NAME.fullmatch(name) or name in TAKEN:
        return (f"The name of a variant must have 1 to {MOST_NAME} letters, digits, spaces or any of . _ + - @ % ( ) "
                f"=, begin with a letter or digit, and not be one of {', '.join(sorted(TAKEN))}. Got {quoted(name)} "
                "instead.")
    if not isinstance(own, Mapping) or not all(isinstance(key, str) for key in own):
        return f"The variant {quoted(name)} must have settings, as in '{FORM}'. Got {_got(own)} instead."
    method = own.get("method")
    if method is None:
        return f"The variant {quoted(name)} must name its method, as in '{name}: method=pt'. Got none; choose one of " \
               f"{', '.join(METHODS)}."
    if not isinstance(method, str) or method not in METHODS:
        return f"The method of the variant {quoted(name)} must be one of {', '.join(map(repr, METHODS))}. Got " \
               f"{quoted(method)} instead.{nearest(str(method), METHODS)}"
    if name in METHODS and name != method:
        return f"The name {quoted(name)} belongs to a method. Give the variant of method '{method}' another name."
    return None


def _got(value: Any) -> str:
    return "nothing" if value is None else quoted(value)


def _by_method(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(own, Mapping) for own in value.values())


def as_line(name: str, own: Mapping[str, Any]) -> str:
    """The line that :func:`of_raw` reads back: ``"pt-long: method=pt prompt_length=10"``."""
    return f"{name}: " + " ".join(f"{key}={shlex.quote(_text(value))}" for key, value in own.items())


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    listed = [list(row) for row in value] if isinstance(value, list | tuple) else value
    return yaml.safe_dump(listed, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
