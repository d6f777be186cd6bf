"""Finished experiments that come with the project: written from one store, shown by another."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from compt_core.errors import ConfigError, DiskError, StoreError
from compt_core.exchange import bundle, carry
from compt_core.exchange.report import experiment_json
from compt_core.methods.table import METHODS
from compt_core.runs import artifacts as home
from compt_core.runs.drain import drain
from compt_core.runs.record import BUNDLED, State
from compt_core.runs.store import Store
from compt_core.settings.config import Experiment
from compt_core.training.events import Event, Outcome


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    """A store with a small experiment that really was trained, on tasks with two and with 26 labels."""
    from compt_core.settings.config import build_experiment

    store = Store(tmp_path_factory.mktemp("trained"))
    experiment = store.submit(build_experiment({
        "tasks": "demo-rte,demo-stsb,demo-mnli", "methods": list(METHODS), "seeds": "0,1", "shots": "4", "steps": 3,
        "batch": 6, "sources": 2, "prompt_length": 3, "encoder_hidden": 5, "eval_rows": 7, "backbone": "demo"}))
    drain(store, experiment, lambda ahead: None)
    return store, experiment


@pytest.fixture(autouse=True)
def _bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPT_DEMO_RUNS")


@pytest.fixture
def folder(trained: tuple[Store, str], tmp_path: Path) -> Path:
    bundle.write_bundle(trained[0], [trained[1]], tmp_path / "bundled", "small")
    return tmp_path / "bundled"


def test_a_bundle_shows_the_same_numbers_as_the_store_it_came_from(
    trained: tuple[Store, str], folder: Path, store: Store,
) -> None:
    source, identity = trained
    assert bundle.import_bundles(store, folder) == 1
    assert experiment_json(store.experiment(identity), store.runs(identity)) \
        == experiment_json(source.experiment(identity), source.runs(identity))
    for mine, theirs in zip(store.runs(identity), source.runs(identity), strict=True):
        assert (mine.id, mine.config, mine.steps, mine.versions) == (theirs.id, theirs.config, 3, theirs.versions)
        assert (mine.owner, mine.state) == (BUNDLED, State.COMPLETED)
        prompts, wanted = store.prompts(mine.id), source.prompts(mine.id)
        assert prompts.keys() == wanted.keys() & set(bundle.KEPT) and "composed" in prompts
        for name, values in prompts.items():
            assert np.array_equal(values, wanted[name]), (mine.method, name)
        for task, scores in source.scores(mine.id).items():
            assert np.array_equal(store.scores(mine.id)[task].argmax(-1), scores.argmax(-1))
            assert store.scores(mine.id)[task] == pytest.approx(scores, rel=1e-3)
        for kind in bundle.POINTS:
            (steps, values), (other, theirs_) = store.events(mine.id, kind), source.events(mine.id, kind)
            assert np.array_equal(steps, other), kind
            assert values == pytest.approx(theirs_, rel=1e-3, abs=1e-6, nan_ok=True), kind  # half precision


def test_experiments_of_all_methods_travel_as_one_file(trained: tuple[Store, str], store: Store, tmp_path: Path
                                                       ) -> None:
    source, identity = trained
    with (tmp_path / "one.zip").open("wb") as file:
        assert carry.pack(source, identity, file) == []
    assert carry.unpack(store, tmp_path / "one.zip")[1]
    assert experiment_json(store.experiment(identity), store.runs(identity)) \
        == experiment_json(source.experiment(identity), source.runs(identity))


def test_long_curves_are_thinned_with_both_ends_and_the_extremes_kept(store: Store, grid: Callable[..., Experiment],
                                                                      tmp_path: Path) -> None:
    other, draw = Store(tmp_path / "other"), np.random.default_rng(0)
    experiment = store.submit(grid(seeds=[0, 1]))
    for run in store.claim():  # curves of different length
        values = np.round(draw.normal(size=901), run.seed)
        values[400], values[500] = 1e5, -7.5
        store.started(run.id, 900, {})
        store.write_events([Event(run.id, "loss", step, (float(one),)) for step, one in enumerate(values)])
        store.finish(run.id, Outcome("completed", result={"mean": 0.5}, prompts=dict.fromkeys(
            ("private", "composed"), np.ones((12, 3, 2))), scores={"demo-rte": np.ones((2, 2))}))
    before = [store.events(run.id, "loss") for run in store.runs(experiment)]
    assert len(before[0][0]) != len(before[1][0])
    bundle.write_bundle(store, [experiment], tmp_path / "thin", "small")
    bundle.import_bundles(other, tmp_path / "thin")
    for run, (steps, values) in zip(other.runs(experiment), before, strict=True):
        at, found = other.events(run.id, "loss")
        assert len(at) <= bundle.POINTS["loss"] < len(steps) and {0, 400, 500, 900} <= set(at.tolist())
        assert found == pytest.approx(values[np.isin(steps, at)], rel=1e-3)


def test_experiments_that_differ_in_their_shots_alone_become_one(store: Store, grid: Callable[..., Experiment],
                                                                 tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    few, many, longer = (store.submit(grid(shots=[shots], steps=steps))
                         for shots, steps in ((4, 9), (8, 9), (16, 8)))
    for run in [run for _ in range(3) for run in store.claim()]:
        store.started(run.id, 9, {})
        kinds = {"loss": 1} if run.experiment == few else {"loss": 1, "task_loss": 12}  # an older version: fewer
        store.write_events([Event(run.id, kind, step, (float(step + run.shots),) * width)  # type: ignore[arg-type]
                            for kind, width in kinds.items() for step in range(3)])
        store.finish(run.id, Outcome("completed", result={"mean": run.shots / 10}, prompts=dict.fromkeys(
            ("private", "composed"), np.ones((12, 3, 2))), scores={"demo-rte": np.ones((2, 2))}))
    bundle.write_bundle(store, [few, many], tmp_path / "joined", "small")
    bundle.import_bundles(other, tmp_path / "joined")
    assert [(one.id, one.config["shots"]) for one in other.experiments()] == [(few, [4, 8])]
    found = {run.shots: run for run in other.runs(few)}
    assert {shots: run.result["mean"] for shots, run in found.items() if run.result} == {4: 0.4, 8: 0.8}
    assert [len(other.events(found[shots].id, "task_loss")[0]) for shots in (4, 8)] == [0, 3]
    assert other.events(found[4].id, "loss")[1].ravel().tolist() == [4, 5, 6]
    with pytest.raises(StoreError, match=r"must differ in their shot counts alone\. They also differ in steps"):
        bundle.write_bundle(store, [few, longer], tmp_path / "no", "small")
    with pytest.raises(StoreError, match=r"must have different shot counts\. Got 4, 4"):
        bundle.write_bundle(store, [few, few], tmp_path / "no", "small")


def test_bundled_runs_come_once_are_older_than_all_else_and_stay_out_of_estimates(
    folder: Path, trained: tuple[Store, str], store: Store, grid: Callable[..., Experiment],
) -> None:
    own = store.submit(grid(seeds=[0, 1]))
    assert [bundle.import_bundles(store, folder) for _ in range(2)] == [1, 0]
    assert [record.id for record in store.experiments()] == [own, trained[1]]
    assert [run.experiment for run in store.runs(limit=3)] == [own, own, trained[1]]
    assert [run.seed for run in store.runs(trained[1])] == [0, 1] * len(METHODS)
    assert store.paces() == [] and trained[0].paces() != []
    later = store.submit(grid())
    assert [record.id for record in store.experiments()] == [later, own, trained[1]]
    assert store.request(store.runs(trained[1])[0].id, "cancel").state == State.COMPLETED


def test_a_person_can_leave_them_out(folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPT_DEMO_RUNS", "off")
    assert bundle.import_bundles(store, folder) == 0 == len(store.experiments())


def test_another_value_than_on_and_off_is_named(folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPT_DEMO_RUNS", "no")
    with pytest.raises(ConfigError, match=r"COMPT_DEMO_RUNS must be 'on' or 'off'\. Got 'no' instead"):
        bundle.import_bundles(store, folder)


def test_a_home_without_room_is_named_and_holds_no_half_experiment(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match=r"cannot be copied to .*: No space left on device\. Free some .*=off\.$"):
        bundle.import_bundles(store, folder)
    store.sweep()
    assert store.experiments() == [] == list((store.home / "artifacts").iterdir())


def test_a_kill_in_the_middle_leaves_nothing_that_stays(
    folder: Path, store: Store, trained: tuple[Store, str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    artifacts, really, moved = store.home / "artifacts", os.replace, list[str]()

    def killed(source: str, target: Path) -> None:
        if len(moved) == 3:
            raise KeyboardInterrupt
        moved.append(source)
        really(source, target)

    def half_way() -> None:
        moved.clear()
        with monkeypatch.context() as kill:
            kill.setattr(os, "replace", killed)
            kill.setattr(home, "_remove", lambda path: None)  # a killed process tidies nothing
            with pytest.raises(KeyboardInterrupt):
                bundle.import_bundles(store, folder)
        assert list(artifacts.rglob("*.tmp")) and not store.experiments()

    half_way()
    (artifacts / "elsewhere").mkdir()  # of a store that was put aside
    (artifacts / "elsewhere" / "prompts.safetensors").touch()
    with FileLock(store.home / "import.lock"):
        store.sweep()
    assert list(artifacts.rglob("*.tmp"))  # perhaps of a process that imports at this moment
    store.sweep()
    assert [str(path.relative_to(artifacts)) for path in artifacts.rglob("*")] == [
        "elsewhere", "elsewhere/prompts.safetensors"]
    half_way()
    assert bundle.import_bundles(store, folder) == 1
    store.sweep()
    for run in store.runs(trained[1]):
        assert {path.name for path in (artifacts / run.id).iterdir()} == {"prompts.safetensors", "scores.safetensors"}


def test_files_that_are_not_whole_are_named_and_leave_nothing(folder: Path, store: Store) -> None:
    path = folder / "small.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"small\.json' cannot be read: .*COMPT_DEMO_RUNS=off"):
        bundle.import_bundles(store, folder)
    assert store.experiments() == []
    (folder / "small.json").write_text('{"format": 2}')
    with pytest.raises(StoreError, match="its format is 2, this version of ComPT Lab reads 1"):
        bundle.import_bundles(store, folder)


def test_an_unfinished_experiment_is_not_bundled(store: Store, grid: Callable[..., Experiment], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="are not completed"):
        bundle.write_bundle(store, [store.submit(grid())], tmp_path, "x")
    assert list(tmp_path.glob("*.json")) == []
