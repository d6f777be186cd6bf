"""docs/PROMISES.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROWS = [line for line in (ROOT / "docs" / "PROMISES.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and "`tests/" in line]


def test_there_are_promises():
    assert len(ROWS) > 15


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_a_promise_is_held_by_a_test_that_exists(row):
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {name}(" in text if name else "def test_" in text
