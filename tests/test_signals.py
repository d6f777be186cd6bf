"""Signals as exceptions, in this process."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from compt_core import signals
from compt_core.signals import Stopped, signals_raise

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
BOTH = [signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """A handler that does nothing instead of the one that kills, so that a failing test is seen."""
    before = {number: signal.signal(number, lambda *_: None) for number in BOTH}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_an_exception_with_the_exit_code_of_a_shell(number: int, code: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped, signals_raise():
        signal.raise_signal(number)
    assert stopped.value.code == code
    assert str(stopped.value) == f"Stopped by {signal.Signals(number).name}."
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("second", BOTH)
def test_what_a_signal_began_is_not_disturbed_by_the_next_one(second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: clock[0])
    with signals_raise():
        for _ in range(2):  # the exception may have been lost, in a destructor say: it can be sent again
            with pytest.raises(Stopped):
                signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(second)
            clock[0] += signals.GRACE_SECONDS


def test_nohup_is_obeyed() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals_raise():
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
