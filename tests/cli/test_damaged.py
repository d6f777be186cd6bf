"""A run that cannot be read, in the terminal: named beside the others, refused in a line, deleted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from tests.cli.conftest import Call


@pytest.fixture
def runs(home: Path) -> tuple[str, str, str]:
    """An experiment and its two runs, of which the first is damaged."""
    store = Store(home)
    experiment = store.submit(build_experiment({"methods": ["pt"], "seeds": [0, 1]}, preset="demo"))
    bad, good = (run.id for run in store.runs(experiment))
    store.close()
    with closing(sqlite3.connect(home / "compt.db")) as raw, raw:
        raw.execute("UPDATE runs SET config = '[]' WHERE id = ?", (bad,))
    return experiment, bad, good


def test_it_is_listed_and_everything_else_goes_on(call: Call, runs: tuple[str, str, str], tmp_path: Path) -> None:
    experiment, bad, good = runs
    for words in (("runs",), ("show", experiment), ("export", experiment, "--format", "json", "--out", tmp_path / "o")):
        done = call(*words)
        assert done.code == 0 and done.err.count("\n") == 1, done
        assert f"The run '{bad}' cannot be read: its 'config' must hold settings by name" in done.err
    listed = call("runs").out
    assert good in listed and "cannot be read" in next(line for line in listed.splitlines() if bad in line)


@pytest.mark.parametrize("words", [("show",), ("cancel",), ("pause",), ("resume",),
                                   ("export", "--format", "csv", "--out", "x")])
def test_nothing_else_can_be_done_with_it_than_to_delete_it(call: Call, runs: tuple[str, str, str],
                                                            words: tuple[str, ...]) -> None:
    _, bad, good = runs
    done = call(words[0], bad, *words[1:])
    assert done.code == 2 and done.err.count("\n") == 1 and done.out == ""
    assert "cannot be read: its 'config'" in done.err and f"compt_core delete {bad}'" in done.err
    assert call("delete", bad).code == 0 and call("delete", "nosuchrun1").code == 2
    assert bad not in call("runs").out and good in call("runs").out
