"""A disk that fills, fails or becomes read-only: one error, which says what to do; then the runs are swept."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compt_core.errors import DiskError, StoreError
from compt_core.runs import schema
from compt_core.runs.lease import Lease, settle
from compt_core.runs.store import Store
from compt_core.settings.config import Experiment
from compt_core.training.events import Event, Outcome

FULL = "PRAGMA max_page_count = 1"
READ_ONLY = "PRAGMA query_only = ON"


def troubled(store: Store, pragma: str) -> Callable[[], None]:
    """Has every connection of a store meet trouble from now on; what is returned ends it."""
    def trouble(raw: Any, _record: Any) -> None:
        raw.execute(pragma)

    schema.event.listen(store._database._engine, "connect", trouble)
    store.close()

    def over() -> None:
        schema.event.remove(store._database._engine, "connect", trouble)
        store.close()

    return over


@pytest.mark.parametrize(("pragma", "says"), [(FULL, "database or disk is full"), (READ_ONLY, "readonly database")])
def test_whatever_cannot_be_written_is_a_disk_error_and_the_runs_are_ended_later(
    store: Store, grid: Callable[..., Experiment], pragma: str, says: str
) -> None:
    identity = store.submit(grid(seeds="0-2"))
    runs = [run.id for run in store.claim()]
    store.started(runs[0], 10_000, {})
    over = troubled(store, pragma)
    many = [Event(runs[0], "loss", step * 51, (0.5,) * 4000) for step in range(1, 190)]
    for write in (lambda: store.write_events(many), lambda: store.submit(grid(seeds="0-199")),
                  lambda: store.finish(runs[1], Outcome("failed", error=ValueError("x" * 500_000)))):
        with pytest.raises(DiskError, match=rf"compt\.db' cannot be written: .*{says}\. Free some space on its disk"):
            write()
    over()
    settle(store)
    assert [str(run.state) for run in store.runs(identity)] == ["interrupted"] * 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG])
def test_tensors_that_cannot_be_written_are_a_disk_error(
    store: Store, grid: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    run = store.runs(store.submit(grid()))[0].id
    store.claim()

    def fails(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(DiskError, match=rf"prompts\.safetensors' cannot be written: {os.strerror(number)}\. Free some"):
        store.finish(run, Outcome("completed", prompts={"private": np.ones(3)}))


def test_a_home_that_goes_while_it_is_used_is_a_disk_error_and_never_bad_input(store: Store, home: Path) -> None:
    shutil.rmtree(home)
    store.close()
    for use in (store.experiments, store.version):
        with pytest.raises(DiskError, match="is no longer there"):
            use()


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskError), (errno.EIO, DiskError),
                                              (errno.EROFS, StoreError), (errno.EACCES, StoreError)])
def test_what_cannot_be_opened_is_the_disks_fault_or_the_wrong_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StoreError]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    advice = "Free some space" if kind is DiskError else "Set COMPT_HOME"
    monkeypatch.setattr("filelock.FileLock.acquire", fails)
    for use in (lambda: Store(home), Lease(home).acquire):
        with pytest.raises(kind, match=rf"cannot be (opened|used): {os.strerror(number)}\. {advice}") as raised:
            use()
        assert type(raised.value) is kind
