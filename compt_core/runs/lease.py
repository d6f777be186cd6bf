"""Who trains: the one process that holds the lease of a home folder. Loads no torch."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from compt_core.errors import unusable
from compt_core.runs.store import Store


class Lease:
    """An operating-system lock on ``HOME/worker.lock``: it dies with its process, so it is never stale.

    Any thread of the process may give it back. Two leases on one home exclude each other within a
    process as well. Who gains it owes the store a ``sweep()``: whatever still says running is dead.
    """

    def __init__(self, home: Path):
        self._path = home / "worker.lock"
        self._lock = FileLock(self._path, thread_local=False)

    @property
    def held(self) -> bool:
        """Whether this object holds the lease."""
        return self._lock.is_locked

    def acquire(self, blocking: bool = False) -> bool:
        """True when held, now or already; False when another has it. Raises StoreError when the file is unusable."""
        if self.held:
            return True
        try:
            self._lock.acquire(blocking=blocking)
        except Timeout:
            return False
        except OSError as error:
            raise unusable(f"The lock '{self._path}' cannot be used", error) from error
        return True

    def release(self) -> None:
        """Gives the lease back; nothing happens when it is not held."""
        self._lock.release()


def settle(store: Store) -> None:
    """Ends runs that say running while nobody trains: whoever finds the lease free sweeps first. Raises StoreError."""
    if store.running():
        lease = Lease(store.home)
        try:
            store.sweep(lease.acquire)
        finally:
            lease.release()
