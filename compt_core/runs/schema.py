"""The tables of the store and the transactions on them: one SQLite file in WAL mode.

SQLAlchemy Core, not the ORM: a run is a row and a frozen record, and nothing else holds its state. Writers take the
write lock at once (``BEGIN IMMEDIATE``): otherwise a transaction that reads and then writes would fail if another
process wrote in between. Cells come as they are in the file; `runs.rows` checks and reads them. Loads no torch.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, cast

from filelock import FileLock
from sqlalchemy import (
    JSON,
    URL,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    create_engine,
    event,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError

from compt_core.errors import DiskError, LostStore, StoreError, quoted, unusable
from compt_core.runs.migrations import migrate

SCHEMA_VERSION = 6
_text = partial(str, encoding="utf-8", errors="surrogateescape")  # a damaged text is the problem of one cell only
BUSY_SECONDS = 15.0  # how long a writer waits for another process's transaction
# What SQLite reports about a disk: always, and for a disk that could be written to before.
_OF_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_OF_DISK_LATER = _OF_DISK | {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}

_tables = MetaData()


class _Json(TypeDecorator[Any]):
    """JSON, written from values, read as the text in the file, which may be damaged."""

    impl, cache_ok = JSON, True

    def result_processor(self, dialect: Any, coltype: Any) -> None:
        """None: the cell as it is."""


class _Bytes(TypeDecorator[Any]):
    """Bytes, read as whatever is in the file."""

    impl, cache_ok = LargeBinary, True

    def result_processor(self, dialect: Any, coltype: Any) -> None:
        """None: the cell as it is."""


meta = Table("meta", _tables, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

# `number` orders the queue and the lists: a clock may jump, a counter does not.
experiments = Table(
    "experiments", _tables,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("config", _Json(none_as_null=True), nullable=False),
    Column("reference_rows", _Json(none_as_null=True)),
    Column("place", Float),  # in its owner's queue, used instead of `number` once somebody has moved it
    Column("task_definitions", _Json(none_as_null=True)),  # task name -> definition, as `Catalogue.written` gives them
    sqlite_autoincrement=True,
)

runs = Table(
    "runs", _tables,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("experiment", Text, ForeignKey("experiments.id"), nullable=False),
    Column("owner", Text, nullable=False),
    Column("backbone", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("shots", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("config", _Json(none_as_null=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("steps", Integer),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("heartbeat", Float),
    Column("request", Text),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("traceback", Text),
    Column("result", _Json(none_as_null=True)),
    Column("versions", _Json(none_as_null=True)),
    Column("fleet", Text),
    Column("checkpoint", Integer),
    Index("runs_by_experiment", "experiment", "state"),
    Index("runs_by_state", "state", "experiment"),
    Index("runs_by_fleet", "fleet"),
    sqlite_autoincrement=True,
)

events = Table(
    "events", _tables,
    Column("run", Text, ForeignKey("runs.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("data", _Bytes, nullable=False),  # floats, little endian, flattened row by row: see `points`
    sqlite_with_rowid=False,
)

# What-if edits that were given a name.
edits = Table(
    "edits", _tables,
    Column("id", Text, primary_key=True),
    Column("run", Text, ForeignKey("runs.id"), nullable=False, index=True),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("text", Text, nullable=False),
    Column("changes", _Json(none_as_null=True), nullable=False),
)

# Which runs must be completed before a queued one starts. A run that is waited for may be gone.
waits = Table("waits", _tables, Column("run", Text, primary_key=True), Column("before", Text, primary_key=True))

# Whose turn it is: the owner with the lowest number has waited longest.
turns = Table("turns", _tables, Column("owner", Text, primary_key=True), Column("turn", Integer, nullable=False))


class Database:
    """The SQLite file at `path`, created if it is missing; threads may share it."""

    def __init__(self, path: Path):
        """Raises StoreError when the file cannot be used or was written by a newer schema."""
        self.path, self._of_disk = path, _OF_DISK
        self._watching, self._watch = Lock(), cast("sqlite3.Connection | None", None)
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)), pool_size=5, max_overflow=20,
            connect_args={"timeout": BUSY_SECONDS},
        )
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        event.listen(self._engine, "connect", _on_connect)
        event.listen(self._engine, "begin", _on_begin)
        try:
            # Switching to WAL ignores the busy timeout, so only one process may do it at a time.
            with FileLock(path.with_suffix(".lock"), timeout=BUSY_SECONDS):
                self._open()
                self._file = _identity(path)
            self._of_disk = _OF_DISK_LATER
        except OSError as error:
            self.close()
            raise unusable(f"The store '{path}' cannot be opened", error) from error
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """Raises LostStore when the file is not where it was opened, as changes would be lost. Takes microseconds."""
        try:
            now = _identity(self.path)
        except OSError as error:
            reason = "it was deleted or moved, or its disk is gone" if isinstance(error, FileNotFoundError) else \
                f"it cannot be reached ({error.strerror})"
            raise LostStore(f"The store '{self.path}' is no longer there: {reason}. Nothing can be started or "
                            "changed. Put its folder back and go on, or restart ComPT Lab, which begins a new "
                            "one.") from None
        if now != self._file:
            raise LostStore(f"The store '{self.path}' was replaced by another file, which this program has not opened. "
                            "Nothing can be started or changed. Restart ComPT Lab to use the new file.",
                            replaced=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot; never waits for a writer."""
        self.check()
        with self._translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed at the end of the block and undone by an exception. Keep it short."""
        self.check()
        with self._write() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._translated(), self._writer.begin() as connection:
            yield connection

    def version(self) -> int:
        """A number that changes with every commit of another connection; reading it takes microseconds."""
        with self._watching, self._translated():
            if self._watch is None:
                self.check()  # otherwise an empty file would be created
                self._watch = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False)
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Closes the pooled connections; the next use opens new ones."""
        self._engine.dispose()
        with self._watching:
            if self._watch is not None:
                self._watch.close()
            self._watch = None

    def _open(self) -> None:
        try:  # not through the engine, since the mode cannot change inside a transaction
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as raw:
                raw.text_factory = _text
                raw.execute("PRAGMA journal_mode=WAL")
                for problem, in raw.execute("PRAGMA integrity_check(1000)"):
                    if problem != "ok" and not problem.startswith("NULL value in"):  # that affects one row only
                        raise self._unusable(f"it is damaged ({problem})")
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter for messages with damaged names
            raise self._unusable(error) from error
        with self._write() as connection:
            if not inspect(connection).has_table(meta.name):
                _tables.create_all(connection)
                connection.execute(insert(meta).values(key="schema", value=str(SCHEMA_VERSION)))
            found = connection.execute(select(meta.c.value).where(meta.c.key == "schema")).scalar()
            if not isinstance(found, str) or not re.fullmatch(r"[1-9][0-9]{0,8}", found):
                raise self._unusable(f"its schema must be a number from 1 on ({quoted(found, 40)})")
            if int(found) < SCHEMA_VERSION:
                migrate(connection, int(found), SCHEMA_VERSION)
                connection.execute(update(meta).where(meta.c.key == "schema").values(value=str(SCHEMA_VERSION)))
        if int(found) > SCHEMA_VERSION:
            raise StoreError(f"The store '{self.path}' has schema {found}, but this version of ComPT Lab reads schema "
                             f"{SCHEMA_VERSION}. Update ComPT Lab, or set COMPT_HOME to another folder.")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns errors that a person can fix into StoreError; misuse of SQL stays a bug."""
        try:
            yield
        except UnicodeDecodeError as error:  # from a message with damaged names
            raise self._unusable(error) from error
        except (DatabaseError, sqlite3.DatabaseError) as error:
            said = getattr(error, "orig", error)
            if type(said) not in (sqlite3.DatabaseError, sqlite3.OperationalError):
                raise
            raise self._unusable(said) from error

    def _unusable(self, reason: object) -> StoreError:
        if getattr(reason, "sqlite_errorcode", 0) & 0xFF in self._of_disk:  # its low byte tells the kind
            return DiskError(f"The store '{self.path}' cannot be written: {reason}. Free some space on its disk or "
                             "repair it; then resume the runs that this interrupted.")
        return StoreError(f"The store '{self.path}' cannot be used: {' '.join(str(reason).split())[:200]}. Put back a "
                          "copy of the file or move it away (a new store begins, and the files of the runs stay), or "
                          "set COMPT_HOME to another folder.")


def _identity(path: Path) -> tuple[int, int]:
    """The identity of the file `path`, whatever it contains. Raises OSError."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _on_connect(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # the driver must not open its own transactions
    raw.text_factory = _text
    raw.execute("PRAGMA synchronous=NORMAL")
    raw.execute("PRAGMA foreign_keys=ON")


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
