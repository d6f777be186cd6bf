"""Options of the command line: each given once, and the settings that those of ``run`` give. Loads no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from compt_core.errors import ConfigError, Issue, quoted
from compt_core.settings.plain import number
from compt_core.settings.values import by_field, field_of, for_all, parse_value, read_yaml

_TEXT = ("backbone", "data_dir")  # settings that are text, also where it reads like a list
_PARSED = ("steps", "eval_rows")  # options that are a value; the others are lists or text


class Once(typer.core.TyperCommand):
    """A command whose options are given once each; the last of two would silently go before the first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the library does, after a look at how often each option was given."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option, count in Counter(given).items():
            if count > 1 and isinstance(option, typer.core.TyperOption) and not option.multiple:
                raise ConfigError([Issue("options", f"The option {option.opts[0]} must be given once. Got it {count} "
                                                    "times; leave all but one out.")])
        return super().parse_args(ctx, args)


def whole(low: int, high: int) -> Callable[[str], int]:
    """The parser of an option that is an integer in [low, high]; Python alone would read 1_0 and Arabic digits, too."""
    def parse(text: str) -> int:
        found = number(str(text))  # a default is no text
        if not isinstance(found, int) or not low <= found <= high:
            raise typer.BadParameter(f"It must be an integer in [{low}, {high}]. Got {quoted(text)} instead.")
        return found

    return parse


def settings(config: Path | None, options: Mapping[str, str | list[str] | None], pairs: Sequence[str]
             ) -> dict[str, Any]:
    """The settings that a command line gives: `options` by name and `pairs` of --set, over those of a file.

    Raises ConfigError for a setting that is given twice, and for a file that cannot be read.
    """
    given = [(name, text) for name, text in options.items() if text is not None]
    typed = [_option(name, text) for name, text in given] + [_pair(text) for text in pairs]
    ways: dict[str, list[str]] = {}
    for name, words, _ in typed:
        ways.setdefault(name, []).append(words)
    twice = [Issue(name, f"The setting {quoted(name)} must be given once. Got {' and '.join(map(quoted, words))}; "
                         "leave one of them out.") for name, words in ways.items() if len(words) > 1]
    if twice:
        raise ConfigError(twice)
    values = {name: value for name, _, value in typed}
    layers = by_field(read_yaml(config)) if config else {}
    for name in ("variants", "method_settings"):
        own = layers.get(name)
        if isinstance(own, dict) and all(isinstance(settings, dict) for settings in own.values()):
            layers[name] = for_all(own, values)  # what is typed holds for all rows
    if {"methods", "variants"} & values.keys():  # rows that are typed are all there are
        layers = {name: value for name, value in layers.items() if name not in ("methods", "variants")}
    return layers | values


def _option(name: str, text: str | list[str]) -> tuple[str, str, Any]:
    """A setting with an option of its own: its name, the words that give it, its value."""
    if not isinstance(text, str):  # of an option that may be repeated
        return name, " ".join(f"--{name.removesuffix('s')} {one}" for one in text), text
    return name, f"--{name.replace('_', '-')} {text}", parse_value(text, name) if name in _PARSED else text


def _pair(text: str) -> tuple[str, str, Any]:
    """The same of a setting of --set."""
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals:
        raise ConfigError([Issue("set", f"An option --set must have the form key=value. Got {quoted(text)} instead; "
                                        "'--set help' lists all settings.")])
    if name == "preset":  # else it would silently go before another one in --preset
        raise ConfigError([Issue("preset", f"The preset is chosen by --preset alone. Got --set {quoted(text)}; "
                                           "write --preset NAME instead.")])
    return field_of(name), f"--set {text}", value if name in _TEXT else parse_value(value, name)
