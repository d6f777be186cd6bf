"""Experiments that travel as one zip file: what arrives is what left, and no file of a stranger does any harm."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compt_core.analysis.answers import lost_rows, scored_rows
from compt_core.cli.main import main
from compt_core.errors import DataError, StoreError
from compt_core.exchange import bundle, carry, zipped
from compt_core.exchange.report import experiment_json
from compt_core.runs.record import IMPORTED
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.tasks import definition, own
from tests import own_tasks

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Path]:
    """(home of a store with a trained experiment, its id, the zip file that it was exported as)."""
    folder = tmp_path_factory.mktemp("carry")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPT_HOME", str(folder / "home"))
        identity = own_tasks.trained(folder / "home", folder / "data")
        assert main(["export", identity, "--format", "bundle", "--out", str(folder / "made.zip")]) == 0
    return folder / "home", identity, folder / "made.zip"


def read(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, given: Members, **manifest: Any) -> Path:
    """A zip file with a manifest that fits it, but for what is given."""
    said = json.loads(given[zipped.MANIFEST])
    rest = {name: data for name, data in given.items() if name != zipped.MANIFEST}
    said |= {"members": {name: hashlib.sha256(data).hexdigest() for name, data in rest.items()}} | manifest
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in rest.items():
            archive.writestr(name, data)
        archive.writestr(zipped.MANIFEST, json.dumps(said))
    return path


def test_what_arrives_is_what_left(made: tuple[Path, str, Path], store: Store, capsys: pytest.CaptureFixture[str]
                                   ) -> None:
    home, identity, path = made
    source, later = Store(home), store.submit(build_experiment(own_tasks.RAW | {"tasks": "demo-mood"}))
    assert main(["import", str(path)]) == 0 == main(["import", str(path)])
    assert [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()] == ["Imported", "The"]
    assert [one.id for one in store.experiments()] == [identity, later]  # the newest, once
    record = store.experiment(identity)
    assert record.owner == IMPORTED and record.references == source.experiment(identity).references
    assert experiment_json(record, store.runs(identity))["runs"] == \
        experiment_json(source.experiment(identity), source.runs(identity))["runs"]
    for mine, theirs in zip(store.runs(identity), source.runs(identity), strict=True):
        assert (mine.id, mine.versions, mine.owner) == (theirs.id, theirs.versions, IMPORTED)
        assert np.array_equal(store.prompts(mine.id)["composed"], source.prompts(theirs.id)["composed"])
        assert lost_rows(mine) == ([], [])
        for task in mine.config["tasks"]:
            assert len(scored_rows(mine, task)) == 12  # of the rows that it was scored on, by their digest
    folder = store.home / "imported" / identity
    assert own.folder_of(record.tasks[own_tasks.KEPT]) == folder / own_tasks.KEPT and not own.kept()
    assert own.ways(record.tasks, None).files == tuple(folder / name / "task.yaml" for name in record.tasks
                                                       if name != "demo-mood")
    first, second = (run.id for run in store.runs(identity))
    assert store.delete(first) and folder.is_dir()
    assert store.delete(second) and not folder.exists() and [one.id for one in store.experiments()] == [later]


def test_the_file_says_what_is_in_it_and_nothing_of_this_machine(
    made: tuple[Path, str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, identity, path = made
    members = read(path)
    manifest = json.loads(members[zipped.MANIFEST])
    assert manifest["experiment"] == identity and set(manifest["members"]) == members.keys() - {zipped.MANIFEST}
    assert {f"tasks/{own_tasks.FILED}/{name}" for name in ("task.yaml", "rows.csv", "dev.csv")} < members.keys()
    assert not any(str(home.parent).encode() in data for data in members.values())
    monkeypatch.setenv("COMPT_HOME", str(home))
    with (tmp_path / "again.zip").open("wb") as file:
        assert carry.pack(Store(home), identity, file) == []
    assert (tmp_path / "again.zip").read_bytes() == path.read_bytes()


def test_a_kept_task_of_the_same_name_stays_as_it_is(made: tuple[Path, str, Path], store: Store, tmp_path: Path
                                                     ) -> None:
    mine = own.keep_folder(definition.read(own_tasks.write(tmp_path / "mine", own_tasks.KEPT, ("a", "b"))))
    record, _ = carry.unpack(store, made[2])
    assert own.kept()[own_tasks.KEPT] == mine != store.experiment(record.id).tasks[own_tasks.KEPT]
    assert (own.tasks_folder() / own_tasks.KEPT / "rows.csv").read_text() == own_tasks.rows(("a", "b"))


def test_the_rows_stay_while_another_experiment_reads_them(made: tuple[Path, str, Path], store: Store) -> None:
    record, _ = carry.unpack(store, made[2])
    tasks = store.experiment(record.id).tasks
    store.submit(build_experiment(own_tasks.RAW | {"tasks": own_tasks.FILED}), tasks=tasks)
    for run in store.runs(record.id):
        store.delete(run.id)
    assert (store.home / "imported" / record.id).is_dir()


def test_a_home_that_is_moved_takes_the_rows_along(made: tuple[Path, str, Path], home: Path, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    before = Store(home)
    carry.unpack(before, made[2])
    before.close()
    home.rename(tmp_path / "moved")
    monkeypatch.setenv("COMPT_HOME", str(tmp_path / "moved"))
    moved = Store(tmp_path / "moved")
    for run in moved.runs(made[1]):
        assert lost_rows(run) == ([], [])
        assert all(len(scored_rows(run, task)) == 12 for task in run.config["tasks"])
    files = own.ways(moved.experiment(made[1]).tasks, None).files
    assert len(files) == 2 and all(path.is_file() for path in files)
    moved.close()


def test_texts_of_public_data_sets_stay_behind(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPT_DEMO_RUNS")
    (tmp_path / "bundled").mkdir()
    for ending in ("json", "safetensors.gz"):
        (tmp_path / f"bundled/english.{ending}").symlink_to(bundle.FOLDER / f"english.{ending}")
    bundle.import_bundles(store, tmp_path / "bundled")
    [one] = store.experiments()
    with (tmp_path / "one.zip").open("wb") as file:
        [note] = carry.pack(store, one.id, file)
    assert "public data sets" in note and not [name for name in read(tmp_path / "one.zip") if "tasks/" in name]
    other = Store(tmp_path / "other")
    record, new = carry.unpack(other, tmp_path / "one.zip")
    assert new and (record.config["data_dir"], record.id) == ("english", one.id)
    other.close()


def test_only_a_finished_experiment_can_be_exported(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                    made: tuple[Path, str, Path]) -> None:
    queued = store.submit(build_experiment(own_tasks.RAW | {"tasks": "demo-mood"}))
    for words, says in (((queued, "x.zip"), "not completed"), ((queued, "x"), "must end in .zip"),
                        ((store.runs(queued)[0].id, "x.zip"), f"takes its experiment: {queued}")):
        assert main(["export", words[0], "--format", "bundle", "--out", str(tmp_path / words[1])]) == 2
        assert says in capsys.readouterr().err
    assert not list(tmp_path.glob("x*"))


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Members:
    """The members with a change of the bundle's JSON."""
    members = read(path)
    said = json.loads(members["experiment.json"])
    change(said)
    return members | {"experiment.json": json.dumps(said).encode()}


HOSTILE_JSON: dict[str, Callable[[dict[str, Any]], object]] = {
    "id": lambda said: said["experiment"].update(id="../../x"),
    "run id": lambda said: said["runs"][0].update(id="a/../../bc"),
    "the same run twice": lambda said: said["runs"][1].update(id=said["runs"][0]["id"]),
    "a path as a file": lambda said: said["experiment"]["task_definitions"]["mill"]["files"].update(train="../../pw"),
    "an absolute path": lambda said: said["experiment"]["task_definitions"]["mill"]["files"].update(dev="/etc/passwd"),
    "a path as a task": lambda said: said["experiment"]["task_definitions"].update(
        {"../up": said["experiment"]["task_definitions"]["mill"]}),
    "a path as a data set": lambda said: said["experiment"]["task_definitions"]["mill"].update(
        hub=["../../x", None, "a", "b"], files=None),
    "no definition": lambda said: said["experiment"]["task_definitions"].pop("mill"),
    "no settings": lambda said: said["runs"][0].update(config={"tasks": []}),
    "another method": lambda said: said["runs"][0]["config"].update(method="nope"),
    "no numbers": lambda said: said["common"].update(mean="many"),
    "too few weights": lambda said: said["runs"][1]["result"].update(attention=[[1.0]]),
    "text for steps": lambda said: said["runs"][0].update(steps="9"),
    "huge steps": lambda said: said["runs"][0].update(steps=10**30),
    "no runs": lambda said: said.update(runs=[]),
    "a list": lambda said: said.update(experiment=[]),
    "labels": lambda said: said["experiment"]["task_definitions"]["mill"].update(labels=["a", "b", "c"]),
}


@pytest.mark.parametrize("change", HOSTILE_JSON.values(), ids=HOSTILE_JSON)
def test_a_bundle_with_wrong_contents_adds_nothing(made: tuple[Path, str, Path], store: Store, tmp_path: Path,
                                                   change: Callable[[dict[str, Any]], object]) -> None:
    path = write(tmp_path / "x.zip", changed(made[2], change))
    with pytest.raises((DataError, StoreError)) as caught:
        carry.unpack(store, path)
    assert "x.zip" in str(caught.value)
    assert store.experiments() == [] == store.runs() and not list((store.home / "imported").glob("*"))


NAMES = ("../up.csv", "/etc/x.csv", "tasks/mill/../../x.csv", "tasks/mill/a/b/c.csv", "tasks\\mill\\x.csv", "x.py",
         "tasks/MILL/x.csv", "tasks/mill/a:b", "tasks/mill/", "tasks/mill/./x", "tasks/mill/a\nb")


@pytest.mark.parametrize("name", NAMES)
def test_a_member_of_another_name_is_refused(made: tuple[Path, str, Path], store: Store, tmp_path: Path, name: str
                                             ) -> None:
    before = {*tmp_path.rglob("*")}
    path = write(tmp_path / "x.zip", read(made[2]) | {name: b"x"})
    with pytest.raises(DataError, match=r"may be called|no plain file"):
        carry.unpack(store, path)
    assert {one for one in tmp_path.rglob("*") if store.home not in (one, *one.parents)} - before == {path}


def test_links_doubles_and_wrong_hashes_are_refused(made: tuple[Path, str, Path], store: Store, tmp_path: Path) -> None:
    members, path = read(made[2]), tmp_path / "x.zip"
    link = zipfile.ZipInfo("tasks/mill/link.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for says, add in (("no plain file", lambda file: file.writestr(link, "/etc/passwd")),
                      ("two files of the same name", lambda file: file.writestr("tasks/mill/DEV.csv", "x")),
                      ("names other files", lambda file: file.writestr("tasks/mill/more.csv", "x"))):
        write(path, members)
        with zipfile.ZipFile(path, "a") as file:
            add(file)
        with pytest.raises(DataError, match=says):
            carry.unpack(store, path)
    hashes = json.loads(members[zipped.MANIFEST])["members"]
    for says, more in (("not what its manifest says", {"members": hashes | {"tasks/mill/dev.csv": "0" * 64}}),
                       ("sha256 of each", {"members": {}.fromkeys(hashes, "x")}), ("format", {"format": 2})):
        with pytest.raises(DataError, match=says):
            carry.unpack(store, write(path, members, **more))
    with pytest.raises(DataError, match="There is no file"):
        carry.unpack(store, tmp_path / "none.zip")


def test_what_would_be_too_large_is_refused_before_it_is_unpacked(
    made: tuple[Path, str, Path], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    members, path = read(made[2]), tmp_path / "x.zip"
    monkeypatch.setattr(zipped, "_extract", lambda *_: pytest.fail("unpacked"))
    for name, most, says in (("MOST_FILE", 100, "too large"), ("MOST_IN_ALL", 30_000, "would unpack to more"),
                             ("MOST_MEMBERS", 3, "more than 3 files"), ("MOST_MANIFEST", 500, "too large|more than")):
        with monkeypatch.context() as patch:
            patch.setattr(zipped, name, most)
            more = {"tasks/mill/zeros.csv": b"0" * 100_000} if name == "MOST_IN_ALL" else {}
            with pytest.raises(DataError, match=says):
                carry.unpack(store, write(path, members | more))


@pytest.mark.parametrize("spoil", [
    lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"PK\x03\x04" + b"\0" * 100,
    lambda data: data.replace(b"experiment.json", b"experiment.jso\0"), lambda data: data[:200] + b"\xff" + data[201:],
    lambda data: data + b"PK"], ids=["half", "empty", "no zip", "a null", "a byte", "a tail"])
def test_broken_files_are_refused(made: tuple[Path, str, Path], store: Store, tmp_path: Path,
                                  spoil: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(spoil(made[2].read_bytes()))
    with pytest.raises(DataError, match=r"x\.zip' cannot be imported"):
        carry.unpack(store, path)
    assert store.experiments() == []


def test_nested_json_and_other_kinds_of_rows_are_refused(made: tuple[Path, str, Path], store: Store, tmp_path: Path
                                                         ) -> None:
    members, path = read(made[2]), tmp_path / "x.zip"
    write(path, members | {"experiment.json": b"[" * 200_000})
    with pytest.raises(DataError, match="nested too deeply"):
        carry.unpack(store, path)
    write(path, members | {"tasks/mill/more.parquet": b"PAR1"})
    with pytest.raises(DataError, match="may be called"):
        carry.unpack(store, path, "It", ("csv", "tsv"))
    record, new = carry.unpack(store, made[2], "It", ("csv", "tsv"))
    assert new and record.id == made[1]


def test_a_run_of_another_experiment_is_never_overwritten(made: tuple[Path, str, Path], tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(made[0], tmp_path / "copy")
    monkeypatch.setenv("COMPT_HOME", str(tmp_path / "copy"))
    copy = Store(tmp_path / "copy")
    before = {run.id: copy.prompts(run.id)["composed"] for run in copy.runs(made[1])}
    members = changed(made[2], lambda said: said["experiment"].update(id="a" * 10))
    path = write(tmp_path / "x.zip", members, experiment="a" * 10)
    with pytest.raises(StoreError, match="of another experiment"):
        carry.unpack(copy, path)
    for run, prompts in before.items():
        assert np.array_equal(copy.prompts(run)["composed"], prompts)
    copy.close()
