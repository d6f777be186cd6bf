"""A checkpoint to spoil, and what is said of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from compt_core.backbone.load import find_backbone
from compt_core.errors import BackboneError


@pytest.fixture
def copy(tiny_t5: Path, tmp_path: Path) -> Path:
    """A copy of the tiny T5 to spoil."""
    return Path(shutil.copytree(tiny_t5, tmp_path / "t5"))


@pytest.fixture
def settings() -> Callable[..., None]:
    """Changes config.json of a folder; None removes a line."""
    def change(folder: Path, **changes: object) -> None:
        file = folder / "config.json"
        config = json.loads(file.read_text()) | changes
        file.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))

    return change


@pytest.fixture
def problem() -> Callable[[object], str]:
    """The one line with which a backbone is refused."""
    def say(ref: object) -> str:
        with pytest.raises(BackboneError) as caught:
            find_backbone(str(ref))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return say
