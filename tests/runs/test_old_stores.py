"""A store of an older version: what it did not keep of its tasks is what the bundled table says of them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from compt_core.errors import DataError
from compt_core.runs.migrations import migrate
from compt_core.runs.schema import SCHEMA_VERSION
from compt_core.runs.store import Store
from compt_core.tasks.table import CATALOGUE, TASKS


def test_its_experiments_get_the_definitions_that_the_table_has(version_4: Path) -> None:
    store = Store(version_4)
    whole, odd = (store.experiment(identity) for identity in ("pzev2ag0ok", "oldgoneexp"))
    assert whole.tasks == CATALOGUE.only(whole.config["tasks"]) and len(whole.tasks) == 3
    assert list(odd.tasks) == ["demo-mood", "demo-stsb"] and "gone-task" in odd.config["tasks"]
    assert [run.tasks for run in store.runs(whole.id)] == [whole.tasks] * 2 and store.read_runs()[1] == []
    assert store.run("oldgonerun").tasks == odd.tasks
    told = store.runs(whole.id)[0].versions or {}
    digests = {name: task.digest("neutral") for name, task in whole.tasks.items()}
    assert digests == told["tasks"]  # of when it was trained
    with pytest.raises(DataError, match="no definition of task 'gone-task'"):
        odd.tasks.needed("gone-task")
    store.close()


def test_they_are_kept_once_and_are_not_asked_for_again(version_4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(version_4).close()
    monkeypatch.delitem(TASKS, "demo-mood")
    again = Store(version_4)
    assert "demo-mood" in again.experiment("pzev2ag0ok").tasks
    again.close()
    with closing(sqlite3.connect(version_4 / "compt.db")) as raw:
        assert raw.execute("SELECT value FROM meta").fetchall() == [(str(SCHEMA_VERSION),)]
        written, = raw.execute("SELECT task_definitions FROM experiments WHERE id = 'pzev2ag0ok'").fetchone()
    assert json.loads(written)["demo-mood"]["labels"] == ["opposite", "alike"]


@pytest.mark.parametrize("config", ["{", "[]", "3", b"x", '{"tasks": 3}', '{"tasks": [3, {}]}', "[" * 100_000])
def test_a_damaged_experiment_does_not_keep_the_others_from_being_brought_up_to_date(
        version_4: Path, config: object) -> None:
    with closing(sqlite3.connect(version_4 / "compt.db")) as raw, raw:
        raw.execute("UPDATE experiments SET config = ? WHERE id = 'oldgoneexp'", (config,))
    store = Store(version_4)
    found, damaged = store.read_experiments()
    assert [one.id for one in found] == ["pzev2ag0ok"] and [one.name for one in damaged] == ["oldgoneexp"]
    assert len(found[0].tasks) == 3
    store.close()


def test_what_stops_half_way_changes_nothing(version_4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: object, found: int, wanted: int) -> None:
        migrate(connection, found, wanted)  # type: ignore[arg-type]
        raise RuntimeError("the power went")

    monkeypatch.setattr("compt_core.runs.schema.migrate", broken)
    with pytest.raises(RuntimeError):
        Store(version_4)
    monkeypatch.undo()
    store = Store(version_4)
    assert len(store.experiment("pzev2ag0ok").tasks) == 3
    store.close()


def test_methods_with_settings_of_their_own_are_read_as_variants(version_4: Path) -> None:
    with closing(sqlite3.connect(version_4 / "compt.db")) as raw:
        [written] = raw.execute("SELECT config FROM experiments WHERE id = 'pzev2ag0ok'").fetchone()
    assert json.loads(written)["method_settings"] == {"pt": {"lr_private": 0.04}}  # as the version before wrote it
    store = Store(version_4)
    experiment, runs = store.experiment("pzev2ag0ok"), store.runs("pzev2ag0ok")
    assert experiment.config["variants"]["pt"] == {"method": "pt", "lr_private": 0.04}
    assert experiment.variants == {name: name for name in json.loads(written)["methods"]}
    assert "methods" not in experiment.config and "method_settings" not in experiment.config
    assert [(run.variant, run.settings.variant) for run in runs] == [(run.method, run.method) for run in runs]
    assert {run.method: run.settings.lr_private for run in runs}["pt"] == 0.04
    store.close()
