"""Hidden folders in which files are written until all are whole: gone at the end, or at the next one after a kill."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock


@contextmanager
def scratch(folder: Path, name: str) -> Iterator[Path]:
    """A new folder ``.NAME-…`` in `folder`, removed at the end with what is left in it. Raises OSError.

    A lock beside it dies with its process: where it can be had, a kill left both, and they go first.
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
    """Removes a folder, then its lock: so a kill between the two leaves nothing that no lock tells of."""
    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
    with suppress(OSError):
        lock.unlink()
