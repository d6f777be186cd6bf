"""Counts in sentences: one function writes them, so that nowhere "1 shots" is read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from compt_core.errors import plural

ROOT = Path(__file__).resolve().parents[1]
COUNTED = re.compile(r"\*{0,2} (?:(?:dev|training|paired|prompt) )?"
                     r"(?:fleet|label|prompt|row|run|seed|shot|source|step|task|vector|word)s\b")


@pytest.mark.parametrize(("count", "said"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1200, "1,200 runs")])
def test_a_count_and_its_noun_agree(count: int, said: str) -> None:
    assert plural(count, "run") == said


def by_hand(text: str) -> list[str]:
    """The values of f-strings in Python `text` that stand before a counted noun without a writer; constants may."""
    found = []
    for joined in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.JoinedStr)):
        for value, after in zip(joined.values, joined.values[1:], strict=False):
            if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant):
                continue
            called = value.value.func if isinstance(value.value, ast.Call) else None
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            said = ast.unparse(value.value)
            counts = name in ("", "len", "int", "sum", "min", "max", "pop") and not re.search(r"[A-Z]{2}", said)
            if counts and COUNTED.match(str(after.value)) and value.format_spec is None and said != "split":
                found.append(f"{said}{after.value}"[:80])
    return found


def test_a_count_written_by_hand_is_found() -> None:
    assert by_hand('f"{len(runs)} runs"') and by_hand('f"{n} dev rows"') and by_hand('f"**{run.shots}** shots"')
    assert not by_hand('f"{plural(n, \'run\')} of {MOST} runs"')


@pytest.mark.parametrize("room", ["app", "pages", "compt_core"])
def test_no_count_is_written_by_hand(room: str) -> None:
    found = [f"{path.relative_to(ROOT)}: {one}" for path in sorted((ROOT / room).rglob("*.py"))
             for one in by_hand(path.read_text(encoding="utf-8"))]
    assert found == []
