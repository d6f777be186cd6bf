"""Hidden folders for writing files until all are whole: removed at the end or, after a kill, by the next user."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

ASIDE = "aside"  # in such a folder: what was moved there from beside it, to be put back after a kill


@contextmanager
def scratch(folder: Path, name: str) -> Iterator[Path]:
    """A new folder ``.NAME-…`` in `folder`, removed at the end with anything left in it. Raises OSError.

    Next to it lies a lock that is freed when its process ends. A lock that can be taken was left by a killed process:
    its folder is removed first, as :func:`clear` does.
    """
    clear(folder, name)
    lock = folder / f".{name}-{secrets.token_hex(4)}.lock"
    with FileLock(lock):
        try:
            lock.with_suffix("").mkdir()
            yield lock.with_suffix("")
        finally:
            _remove(lock)


def clear(folder: Path, name: str) -> None:
    """Removes what killed processes left of their folders. What one had moved ASIDE goes back, unless there is another
    in its place."""
    for left in folder.glob(f".{name}-*.lock"):
        with suppress(OSError), FileLock(left, blocking=False):
            for old in (left.with_suffix("") / ASIDE).glob("*"):
                if not (folder / old.name).exists():
                    old.rename(folder / old.name)
            _remove(left)


def _remove(lock: Path) -> None:
    """Removes a folder, then its lock, so that a kill between the two leaves no folder without a lock."""
    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
    with suppress(OSError):
        lock.unlink()
