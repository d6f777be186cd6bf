"""Which process trains: the one that holds the lease of a home folder. Loads no torch."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from compt_core.errors import unusable
from compt_core.runs.store import Store


class Lease:
    """A lock of the operating system on ``HOME/worker.lock``: it ends with its process, so it is never stale.

    Any thread of the process may give it back. Two leases on one home also exclude each other within a process. Whoever
    gains it must ``sweep()`` the store, since runs that still say running are dead.
    """

    def __init__(self, home: Path):
        self._path = home / "worker.lock"
        self._lock = FileLock(self._path, thread_local=False)

    @property
    def held(self) -> bool:
        """Whether this object holds the lease."""
        return self._lock.is_locked

    def acquire(self, blocking: bool = False) -> bool:
        """True if it is held, now or already; False if another has it. Raises StoreError if the file is unusable."""
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
        """Gives the lease back; does nothing if it is not held."""
        self._lock.release()


def settle(store: Store) -> None:
    """Ends runs that say running while no process trains: if the lease is free, it sweeps. Raises StoreError."""
    if store.running():
        lease = Lease(store.home)
        try:
            store.sweep(lease.acquire)
        finally:
            lease.release()
