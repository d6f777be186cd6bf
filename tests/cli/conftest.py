"""The command line in this process: an empty folder to stand in, and a home folder that is not there yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from compt_core.cli import main as cli


class Done(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """COMPT_HOME, not there yet: whoever makes it has written something."""
    monkeypatch.setenv("COMPT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def call(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """The command line in this process, in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*words: object) -> Done:
        capsys.readouterr()
        code = cli.main([str(word) for word in words])
        return Done(code, *capsys.readouterr())

    return run
