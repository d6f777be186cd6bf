"""A store in a temporary home."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from compt_core.runs.store import Store


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = Store(home)
    yield opened
    opened.close()
