"""Hidden folders for writing files until all are whole: removed at the end or, after a kill, by the next user."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock


@contextmanager
def scratch(folder: Path, name: str) -> Iterator[Path]:
    """A new folder ``.NAME-…`` in `folder`, removed at the end with anything left in it. Raises OSError.

    Next to it lies a lock that is freed when its process ends. A lock that can be taken was left by a killed process:
    its folder is removed first.
    """
    for left in folder.glob(f".{name}-*.lock"):
        with suppress(OSError), FileLock(left, blocking=False):
            _remove(left)
    lock = folder / f".{name}-{secrets.token_hex(4)}.lock"
    with FileLock(lock):
        try:
            lock.with_suffix("").mkdir()
            yield lock.with_suffix("")
        finally:
            _remove(lock)


def _remove(lock: Path) -> None:
    """Removes a folder, then its lock, so that a kill between the two leaves no folder without a lock."""
    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
    with suppress(OSError):
        lock.unlink()
