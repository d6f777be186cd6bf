"""What viewers share: computed once for all, seldom where it takes long; more viewers ask more seldom."""

import gc
import threading

import pytest

from app.ui import shared
from app.ui.shared import FRESH_SECONDS, GONE_SECONDS, SHARE, STALE_SECONDS, Memo, Viewers, spare_collector


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_value_is_made_once_while_it_is_fresh():
    clock, made = Clock(), []
    memo = Memo(clock=clock)

    def make():
        made.append(clock.now)
        return len(made)

    assert [memo.get("a", make) for _ in range(3)] == [1, 1, 1]
    clock.now += FRESH_SECONDS
    assert memo.get("a", make) == 2
    assert memo.get("b", make) == 3


def test_what_took_long_is_made_again_the_later():
    clock, took = Clock(), 0.1
    memo = Memo(clock=clock)

    def slow():
        clock.now += took
        return clock.now

    first = memo.get("a", slow)
    clock.now += took * SHARE - 0.1
    assert memo.get("a", slow) == first
    clock.now += 0.2
    took, second = 3.0, memo.get("a", slow)
    assert second > first
    clock.now += took * SHARE - 0.1
    third = memo.get("a", slow)
    clock.now += STALE_SECONDS + 0.1  # nothing shown is older
    assert memo.get("a", slow) > third > second


def test_all_who_ask_at_once_wait_for_one():
    memo, entered, go, made = Memo(), threading.Event(), threading.Event(), []

    def make():
        made.append(1)
        entered.set()
        assert go.wait(30)
        return "value"

    found = []
    callers = [threading.Thread(target=lambda: found.append(memo.get("a", make))) for _ in range(8)]
    for caller in callers:
        caller.start()
    assert entered.wait(30)
    go.set()
    for caller in callers:
        caller.join(30)
    assert found == ["value"] * 8 and made == [1]


def test_a_failure_is_not_kept_and_the_eldest_keys_go():
    memo = Memo(entries=2)
    with pytest.raises(ZeroDivisionError):
        memo.get("a", lambda: 1 // 0)
    assert memo.get("a", lambda: 5) == 5
    assert [memo.get(key, lambda key=key: key) for key in "bcd"] == ["b", "c", "d"]
    assert len(memo._kept) == 2


def test_pages_refresh_the_more_seldom_the_more_are_looking():
    clock = Clock()
    viewers = Viewers(clock)
    paces = [viewers.refresh_seconds(str(number)) for number in range(200)]
    assert paces[0] == shared.LEAST_SECONDS and paces[-1] == shared.MOST_SECONDS and paces == sorted(paces)
    assert viewers.refresh_seconds("7") == shared.MOST_SECONDS  # seen before: counted once
    clock.now += GONE_SECONDS + 1
    assert viewers.refresh_seconds("0") == shared.LEAST_SECONDS


def test_loaded_libraries_leave_the_collectors_sight_once():
    import pandas  # noqa: F401

    frozen = set()
    spare_collector(frozen)
    assert "pandas" in frozen
    count = gc.get_freeze_count()
    kept = [[] for _ in range(1000)]
    spare_collector(frozen)
    assert abs(gc.get_freeze_count() - count) < len(kept)  # none of them is frozen; some frozen ones may have gone
    gc.unfreeze()
