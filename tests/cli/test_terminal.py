"""What is said on stderr: one printable line, and for what an experiment waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from compt_core.cli.terminal import LONGEST_LINE, Ticker, say
from compt_core.runs.record import State
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment


class _Held:
    """A lease that is held, or not."""

    def __init__(self, held: bool) -> None:
        self.lease = self
        self.held = held


def test_who_waits_is_told_for_what(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(home)
    first, second = (store.submit(build_experiment({"methods": methods}, preset="first-1"))
                     for methods in ("pt,mst", "pt"))
    ticker = Ticker(store, _Held(False))  # type: ignore[arg-type]
    for _ in range(2):  # said once
        ticker.tick(store.runs(second))
    assert capsys.readouterr().err == "waiting: 2 runs of other experiments come first in the queue\n"
    for record in store.claim():
        store.request(record.id, "cancel")
    store.sweep()
    ticker.tick(store.runs(second))
    assert capsys.readouterr().err == "waiting: another process trains; this experiment is next\n"
    assert {record.state for record in store.runs(first)} == {State.CANCELLED}
    Ticker(store, _Held(True)).tick(store.runs(second))  # type: ignore[arg-type]
    record, = store.claim()
    ticker.tick(store.runs(second))
    store.started(record.id, 10, {})
    ticker.tick(store.runs(second))
    assert capsys.readouterr().err == ""
    store.close()


def test_whatever_is_said_is_one_printable_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("two\nlines\twith \x1b[31mcolour\x1b[0m, \u2028 and \udcff")
    assert capsys.readouterr().err == "two lines with \\x1b[31mcolour\\x1b[0m, and \\udcff\n"
    say("x" * 10_000)
    assert len(capsys.readouterr().err) == LONGEST_LINE + 1
