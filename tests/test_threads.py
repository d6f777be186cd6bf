"""Turns: one thread at a time, in the order of asking, and no turn is ever lost."""

from __future__ import annotations

import threading

import pytest

from compt_core.threads import Turns

SECONDS = 30


def test_one_thread_at_a_time() -> None:
    turns, inside, most = Turns(), [], []

    def work() -> None:
        for _ in range(200):
            with turns:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert len(most) == 800 and max(most) == 1


def test_who_asked_first_is_served_first_even_where_the_holder_asks_again_at_once() -> None:
    turns, order, asked = Turns(), [], threading.Event()

    def page() -> None:
        asked.set()
        with turns:
            order.append("page")

    with turns:
        visitor = threading.Thread(target=page)
        visitor.start()
        assert asked.wait(SECONDS)
        while not turns._waiting:  # it stands in line
            pass
    with turns:  # a trainer's next pass
        order.append("trainer")
    visitor.join(SECONDS)
    assert order == ["page", "trainer"]


def test_an_error_inside_gives_the_turn_on() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="x"), turns:
        raise ValueError("x")
    with turns:
        pass


def test_a_wait_that_is_broken_off_leaves_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns()

    class Broken(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    with turns:
        monkeypatch.setattr("compt_core.threads.Event", Broken)
        with pytest.raises(KeyboardInterrupt), turns:
            pass
        monkeypatch.undo()
        assert not turns._waiting
    with turns:
        pass
