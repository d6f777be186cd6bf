"""The file behind the store: WAL, version, what is told when it cannot be used."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

import compt_core
from compt_core.errors import StoreError
from compt_core.home import home_folder
from compt_core.runs.schema import SCHEMA_VERSION
from compt_core.runs.store import Store
from compt_core.settings.config import RunConfig


def test_wal_schema_version_and_foreign_keys(store, home):
    raw = sqlite3.connect(home / "compt.db")
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert raw.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == (str(SCHEMA_VERSION),)
    raw.close()
    with store._database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1  # NORMAL
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() >= 10_000


def test_reopening_keeps_what_was_there(store, home, grid):
    identity = store.submit(grid())
    again = Store(home)
    assert again.experiment(identity).id == identity
    again.close()


def test_a_newer_schema_is_refused_with_what_to_do(store, home):
    store.close()
    raw = sqlite3.connect(home / "compt.db")
    raw.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(SCHEMA_VERSION + 1),))
    raw.commit()
    raw.close()
    with pytest.raises(StoreError, match=rf"has schema {SCHEMA_VERSION + 1}, .* Update ComPT Lab, or set COMPT_HOME"):
        Store(home)


def test_a_file_that_is_no_database_is_a_sentence(home):
    home.mkdir()
    (home / "compt.db").write_bytes(b"not a database, but long enough to have a header" * 100)
    with pytest.raises(StoreError, match=r"compt.db' cannot be used: .*not a database.*COMPT_HOME"):
        Store(home)


def test_a_home_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"The folder '.*' cannot be created: .*COMPT_HOME"):
        Store(tmp_path / "file" / "home")


def test_home_is_the_environments_or_the_projects(monkeypatch, tmp_path):
    monkeypatch.setenv("COMPT_HOME", str(tmp_path / "x"))
    assert home_folder() == tmp_path / "x"
    for unset in ("", " "):
        monkeypatch.setenv("COMPT_HOME", unset)
        assert home_folder() == Path(compt_core.__file__).parents[1] / ".compt"
    monkeypatch.setenv("COMPT_HOME", str(tmp_path / "y"))
    opened = Store()
    opened.close()
    assert (tmp_path / "y" / "compt.db").exists()


def test_only_one_process_at_a_time_creates_the_file(home, monkeypatch):
    monkeypatch.setattr("compt_core.runs.schema.BUSY_SECONDS", 0)
    home.mkdir()
    with FileLock(home / "compt.lock"), pytest.raises(StoreError, match=r"cannot be opened: .*lock"):
        Store(home)
    assert not (home / "compt.db").exists()
    Store(home).close()


def test_many_open_a_new_home_at_once(tmp_path):
    together, failures = threading.Barrier(4), []

    def open_all():
        try:
            for number in range(10):
                together.wait(30)
                Store(tmp_path / str(number)).close()
        except Exception as error:
            together.abort()
            failures.append(error)

    threads = [threading.Thread(target=open_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.slow
def test_store_and_records_load_no_torch():
    code = "import sys; import compt_core.runs.store, compt_core.runs.worker, compt_core.runs.record; " \
           "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'streamlit')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


VERSION_1 = """
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO meta VALUES ('schema', '1');
CREATE TABLE experiments (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,
    created FLOAT NOT NULL, config JSON NOT NULL, reference_rows JSON);
CREATE TABLE runs (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    experiment TEXT NOT NULL REFERENCES experiments (id), owner TEXT NOT NULL, backbone TEXT NOT NULL,
    method TEXT NOT NULL, shots INTEGER NOT NULL, seed INTEGER NOT NULL, config JSON NOT NULL, state TEXT NOT NULL,
    step INTEGER NOT NULL, steps INTEGER, created FLOAT NOT NULL, started FLOAT, finished FLOAT, heartbeat FLOAT,
    request TEXT, error_type TEXT, error_message TEXT, traceback TEXT, result JSON, versions JSON, fleet TEXT);
CREATE INDEX runs_by_experiment ON runs (experiment, state);
CREATE INDEX runs_by_state ON runs (state, experiment);
CREATE INDEX runs_by_fleet ON runs (fleet);
CREATE TABLE events (run TEXT NOT NULL REFERENCES runs (id), kind TEXT NOT NULL, step INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (run, kind, step)) WITHOUT ROWID;
INSERT INTO experiments VALUES (1, 'aaaaaaaaaa', 'local', 1.0, '{"tasks": ["demo-rte"], "methods": ["pt"]}', NULL);
INSERT INTO runs VALUES (1, 'bbbbbbbbbb', 'aaaaaaaaaa', 'local', 'demo', 'pt', 8, 0,
    '{"tasks": ["demo-rte"], "method": "pt", "shots": 8, "epochs": 3.0}', 'queued', 0, NULL, 1.0,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO events VALUES ('bbbbbbbbbb', 'loss', 7, x'662e');
"""


def test_a_store_of_the_first_schema_is_brought_up_to_date_with_all_it_holds(home, grid):
    home.mkdir()
    raw = sqlite3.connect(home / "compt.db")
    raw.executescript(VERSION_1)
    raw.close()
    store, fresh = Store(home), Store(home.with_name("fresh"))
    assert [(record.id, record.state, record.checkpoint) for record in store.runs()] == [("bbbbbbbbbb", "queued", None)]
    kept, defaults = store.run("bbbbbbbbbb").config, RunConfig(tasks=("demo-rte",), method="pt", shots=8, epochs=3.0)
    assert kept == defaults.model_dump(mode="json")  # settings that it did not know have their defaults
    assert [one.tolist() for one in store.events("bbbbbbbbbb", "loss")] == [[7], [[np.float32("0.1")]]]  # a half
    store.submit(grid())
    assert store.claim()[0].id == "bbbbbbbbbb"
    columns = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    found = [set(sqlite3.connect(one.home / "compt.db").execute(columns)) for one in (store, fresh)]
    assert found[0] == found[1]
    assert Store(home).runs("aaaaaaaaaa")[0].state == "running"  # opened again: nothing to migrate


def test_a_damaged_file_is_told_at_start_and_left_alone(store, home, grid):
    for _ in range(40):
        store.submit(grid())
    store.close()
    whole = bytearray((home / "compt.db").read_bytes())
    for page in range(3, len(whole) // 4096):
        whole[page * 4096: page * 4096 + 64] = b"\xff" * 64
    (home / "compt.db").write_bytes(whole)
    with pytest.raises(StoreError, match=r"compt.db' cannot be used: .*move it away .*COMPT_HOME"):
        Store(home)
    assert (home / "compt.db").read_bytes() == whole
