"""Random settings, as files, as --set and as options: taken as typed, or one line on stderr and exit code 2."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from compt_core.cli import main as cli
from compt_core.cli.terminal import LONGEST_LINE
from compt_core.settings.config import Experiment, RunConfig, build_experiment, to_yaml
from compt_core.settings.plain import read
from compt_core.settings.presets import PRESETS
from tests.fuzz.hunt import hunt

NAMES = [*RunConfig.model_fields, *Experiment.model_fields, "preset", "sourcs", "", "a b", "<<", "\udcff",
         '"\\ud800"', "gr\xf6\xdfe", "method_settings"]
WORDS = [
    "demo-mood", "pt", "spp,mst", "demo", "learned", "off", "on", "yes", "No", "true", "False", "~", "null", "", " ",
    "8", "0", "-1", "010", "+5", "08,09", "0-9", "9-0", "0-99999", "0-" + "9" * 30, "1,2,2", "4,", ",", "y",
    "0x1F", "0o17", "0b1", "1_000", "1:30", "190:20:30.15", "2024-01-02", "2024-13-45", "2001-12-14t21:59:43.10-05:00",
    "1e3", "1e-3", ".5", "5.", "1e999", "1e-999", ".inf", ".nan", "nan", "inf", "-.INF", "9" * 30, "9" * 5000,
    "0x" + "F" * 4000, "1." + "0" * 200, "٣", "²", "１２", "½", "\u00a05", "\u200b5", "\ufeff8", "5 # five", "# 5",
    "[[1, 0], [0, 1]]", "[1, 0]", "[", "]", "{", "{pt: {steps: 3}}", "{pt: {steps: 1, steps: 2}}", "{pt: 3}", "{1: 2}",
    "{[a]: b}", "!!bool x", "!!timestamp x", "!!int 0x", "!!float x", "!!binary x", "!!set {a}", "!!omap [a]",
    "!!python/name:os.system", "!x y", "! 5", "&a 5", "*a", "&a [*a]", "<<: *a", "- 1", "? 1", "'5'", '"5"', "=",
    '"\\ud800"', '"\\x00"', "|\n 5", ">\n a\n b", "%YAML 1.1", "---", "--- 5", "...", "1\n---\n2", "a: b: c", "@x",
    "`x", "\t5", "5\t", "a\x1b[31m", "\x00", "\ud800", "\U0010ffff", "\x85", "\u2028", "é" * 50, "x" * 3000,
    "key=value", "--steps", "[" * 50, "{a: " * 50, "[1," * 200, "- " * 50,
]
GOOD = [to_yaml(build_experiment({}, preset=preset)) for preset in PRESETS]
OPTIONS = ["--shots", "--seeds", "--steps", "--eval-rows", "--methods", "--tasks", "--backbone", "--data-dir",
           "--preset"]


def scalar(dice: random.Random) -> str:
    if dice.random() < 0.7:
        return dice.choice(WORDS)
    if dice.random() < 0.5:
        return str(dice.choice([dice.randint(-5, 5000), dice.random(), 10.0 ** dice.randint(-320, 300)]))
    return "".join(chr(dice.choice([dice.randint(0, 127), dice.randint(0, 0x2FF), dice.randint(0, 0x10FFFF)]))
                   for _ in range(dice.randint(0, 8)))


def flow(dice: random.Random, depth: int = 0) -> str:
    """A value in one line, with what YAML allows anywhere in it."""
    before = dice.choice(["", "", "", "", "", "&a ", "!!str ", "!t ", "*a ", "? "])
    kind = dice.random()
    if depth > 11 or kind < 0.5:
        return before + scalar(dice)
    parts = [flow(dice, depth + 1) for _ in range(dice.randint(0, 3))]
    if kind < 0.75:
        return f"{before}[{', '.join(parts)}]"
    return f"{before}{{{', '.join(f'{dice.choice(NAMES)}: {part}' for part in parts)}}}"


def bomb(dice: random.Random) -> str:
    """Little text that would become very much."""
    width, levels = dice.randint(2, 12), dice.randint(2, 40)
    anchors = [f"&a{i} [{', '.join([f'*a{i - 1}' if i else 'x'] * width)}]" for i in range(levels)]
    return dice.choice([f"[{', '.join(anchors)}]", "[" * 500, "{a: " * 400, "[1, " * 300, "0-99999," * 400,
                        "[[],[]," * 60, "? [" * 90, "- " * 300, "&a [*a, *a]", "{<<: &m {a: *m}}", "'" + "''" * 900,
                        f"[{'1,' * dice.choice([200, 200, 200, 12_000])}]"])


def value(dice: random.Random) -> str:
    return dice.choice([scalar, scalar, scalar, scalar, scalar, scalar, flow, flow, bomb])(dice)


def mutated(dice: random.Random) -> str:
    """A right file after a few slips of the hand."""
    lines = dice.choice(GOOD).splitlines()
    for _ in range(dice.choice([0, 1, 1, 1, 2, 3])):
        at = dice.randrange(len(lines))
        change = dice.randrange(6)
        if change == 0:
            lines.insert(at, lines[at])
        elif change == 1:
            lines.insert(at, f"{dice.choice(NAMES)}: {value(dice)}")
        elif change == 2:
            lines[at] = f"{lines[at].partition(':')[0]}: {value(dice)}"
        elif change == 3:
            lines[at] = " " * dice.randint(0, 12) + lines[at].strip()
        elif change == 4 and len(lines) > 1:
            del lines[at]
        else:
            place = dice.randint(0, len(lines[at]))
            lines[at] = lines[at][:place] + scalar(dice) + lines[at][place + dice.randint(0, 2):]
    return "\n".join(lines) + "\n"


def file(dice: random.Random) -> bytes:
    kind = dice.random()
    text = mutated(dice) if kind < 0.6 else flow(dice) if kind < 0.8 else \
        "\n".join(f"{dice.choice(NAMES)}: {value(dice)}" for _ in range(dice.randint(0, 5)))
    data = text.encode(dice.choice(["utf-8"] * 8 + ["utf-16", "utf-8-sig"]), "surrogatepass")
    if dice.random() < 0.1:
        place = dice.randint(0, len(data))
        data = data[:place] + dice.randbytes(dice.randint(1, 4)) + data[place:]
    return data


def words(dice: random.Random) -> list[str]:
    """Options of `run` and --set, some of them twice."""
    found = dice.choice([["--tasks", "demo-mood,demo-echo"], ["--preset", "first-1"], []])
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        text = value(dice)
        found = found + ([dice.choice(OPTIONS), text] if dice.random() < 0.4 else
                         ["--set", f"{dice.choice(NAMES)}={text}"])
    return found


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, Any]]:
    """How `run` ended up to the check of files: "taken" with its experiment, or "refused"."""
    taken: list[Any] = []
    monkeypatch.setattr(cli, "check", lambda experiment, tasks: SimpleNamespace(experiment=experiment, notes=()))
    monkeypatch.setattr(cli, "train", lambda checked, json_file: taken.append(checked.experiment) or 0)

    def call(*given: str) -> tuple[str, Any]:
        taken.clear()
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = cli.main(["run", *given])
        said = err.getvalue()
        if code == 0 and taken:
            assert (said, out.getvalue()) == ("", "")
            assert build_experiment(read(to_yaml(taken[0]))) == taken[0]  # and so it can be repeated
            return "taken", taken[0]
        assert code == 2 and out.getvalue() == "", (code, said)
        assert said.endswith("\n") and said[:-1].isprintable() and len(said) <= LONGEST_LINE + 1, said
        assert not list(home.iterdir())
        return "refused", None

    return call


def test_any_settings_file_is_taken_or_refused_in_one_line(
    run: Callable[..., tuple[str, Any]], tmp_path: Path, record_property: Callable[[str, object], None],
) -> None:
    path = tmp_path / "s.yaml"

    def act(data: bytes) -> str:
        path.write_bytes(data)
        return run("--config", str(path))[0]

    hunt("settings", file, act, record_property, share=0.5)


def test_any_words_are_taken_or_refused_in_one_line(
    run: Callable[..., tuple[str, Any]], record_property: Callable[[str, object], None],
) -> None:
    hunt("settings", words, lambda given: run(*given)[0], record_property, share=0.3)


def test_a_number_that_is_taken_is_the_one_that_was_typed(
    run: Callable[..., tuple[str, Any]], record_property: Callable[[str, object], None],
) -> None:
    numbers = [name for name, field in Experiment.model_fields.items()
               if field.annotation in (int, float, int | None, float | None)]

    def act(given: tuple[str, str]) -> str:
        name, text = given
        gates = ("--set", "gates=fixed", "--set", f"{'alpha' if name == 'beta' else 'beta'}=1") \
            if name in ("alpha", "beta") else ()
        end, experiment = run("--tasks", "demo-mood", *gates, "--set", f"{name}={text}")
        if end == "taken" and (found := getattr(experiment, name)) is not None:
            typed = text.split(" #")[0].strip("'\" \t\ufeff")
            assert typed.isascii()
            try:
                assert float(Decimal(typed)) == found and "_" not in typed
            except InvalidOperation:
                assert float(str(read(text))) == found  # a block of text, say
        return end

    hunt("settings", lambda dice: (dice.choice(numbers), scalar(dice)), act, record_property, share=0.2)
