"""Options of the command line, each given once, and the settings that the options of ``run`` give. Loads no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from compt_core.errors import ConfigError, Issue, quoted
from compt_core.settings.plain import number
from compt_core.settings.values import by_field, field_of, for_all, parse_value, read_yaml

_TEXT = ("backbone", "data_dir")  # settings that are text, even if it reads like a list
_PARSED = ("steps", "eval_rows")  # options that are a single value; the others are lists or text


class Once(typer.core.TyperCommand):
    """A command whose options may be given only once: otherwise the last one would silently win."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the library does, after counting how often each option was given."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option, count in Counter(given).items():
            if count > 1 and isinstance(option, typer.core.TyperOption) and not option.multiple:
                raise ConfigError([Issue("options", f"The option {option.opts[0]} must be given once. Got it {count} "
                                                    "times; leave all but one out.")])
        return super().parse_args(ctx, args)


def whole(low: int, high: int) -> Callable[[str], int]:
    """A parser for an option that is an integer in [low, high]; Python alone would accept 1_0 and Arabic digits."""
    def parse(text: str) -> int:
        found = number(str(text))  # a default is not text
        if not isinstance(found, int) or not low <= found <= high:
            raise typer.BadParameter(f"It must be an integer in [{low}, {high}]. Got {quoted(text)} instead.")
        return found

    return parse


def settings(config: Path | None, options: Mapping[str, str | list[str] | None], pairs: Sequence[str]
             ) -> dict[str, Any]:
    """The settings that a command line gives: `options` by name and the `pairs` of --set override those of a file.

    Raises ConfigError if a setting is given twice or the file cannot be read.
    """
    given = [(name, text) for name, text in options.items() if text is not None]
    typed = [_option(name, text) for name, text in given] + [_pair(text) for text in pairs]
    ways: dict[str, list[str]] = {}
    for name, words, _ in typed:
        ways.setdefault(name, []).append(words)
    twice = [Issue(name, f"The setting {quoted(name)} must be given only once. Got {' and '.join(map(quoted, words))}; "
                         "leave one of them out.") for name, words in ways.items() if len(words) > 1]
    if twice:
        raise ConfigError(twice)
    values = {name: value for name, _, value in typed}
    layers = by_field(read_yaml(config)) if config else {}
    for name in ("variants", "method_settings"):
        own = layers.get(name)
        if isinstance(own, dict) and all(isinstance(settings, dict) for settings in own.values()):
            layers[name] = for_all(own, values)  # settings on the command line hold for all rows
    if {"methods", "variants"} & values.keys():  # rows on the command line replace all others
        layers = {name: value for name, value in layers.items() if name not in ("methods", "variants")}
    return layers | values


def _option(name: str, text: str | list[str]) -> tuple[str, str, Any]:
    """A setting that has its own option: its name, the words that give it, its value."""
    if not isinstance(text, str):  # the option may be repeated
        return name, " ".join(f"--{name.removesuffix('s')} {one}" for one in text), text
    return name, f"--{name.replace('_', '-')} {text}", parse_value(text, name) if name in _PARSED else text


def _pair(text: str) -> tuple[str, str, Any]:
    """The same for a setting of --set."""
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals:
        raise ConfigError([Issue("set", f"An option --set must have the form key=value. Got {quoted(text)} instead; "
                                        "'--set help' lists all settings.")])
    if name == "preset":  # otherwise it would silently override the one in --preset
        raise ConfigError([Issue("preset", f"The preset can be chosen only with --preset. Got --set {quoted(text)}; "
                                           "write --preset NAME instead.")])
    return field_of(name), f"--set {text}", value if name in _TEXT else parse_value(value, name)
