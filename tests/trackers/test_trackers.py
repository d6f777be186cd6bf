"""What trackers are told, that none can hurt a run, and that each real program opens what was written for it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compt_core.cli import main as cli
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.trackers import feed, table
from compt_core.trackers.tracker import Subject, picture_of, scores_of, table_of, values_of
from compt_core.training.events import Event, Outcome

TASKS = ["demo-mood", "demo-echo"]
SUBJECT = Subject("aaaaaaaaaa", "bbbbbbbbbb", "spp", {"tasks": TASKS, "shots": 4, "seed": 0, "alpha": None, "steps": 3})
RESULT = {"tasks": {"demo-mood": {"accuracy": .5}, "demo-echo": {"accuracy": .75, "f1": None}}, "mean": .625,
          "attention": [[1., 0.], [.25, .75]], "alpha": [.5, .6], "beta": [.5, .4]}
SMALL = ("--tasks", ",".join(TASKS), "--methods", "pt,spp", "--shots", "4", "--steps", "6", "--set", "batch=4",
         "--set", "eval_rows=6", "--set", "watch_rows=2")


class Kept:
    """A tracker that remembers what it was told."""

    def __init__(self, fails: str = "", slow: float = 0.0):
        self.told: list[tuple[Any, ...]] = []
        self.fails, self.slow = fails, slow

    def _told(self, what: str, *of: Any) -> None:
        if what == self.fails:
            raise RuntimeError("no more disk")
        time.sleep(self.slow)
        self.told.append((what, *of))

    def start(self, subject: Subject) -> None:
        self._told("start", subject.run)

    def log(self, subject: Subject, step: int, values: Mapping[str, float]) -> None:
        self._told("log", subject.run, step, dict(values))

    def end(self, subject: Subject, state: str, result: Mapping[str, Any] | None) -> None:
        self._told("end", subject.run, state)

    def close(self) -> None:
        self._told("close")


def test_events_become_named_values_and_results_tables() -> None:
    found = values_of(Event("r", "attention", 1, (1., 0., .25, .75)), TASKS)
    assert found == {"attention/demo-mood/s0": 1, "attention/demo-mood/s1": 0, "attention/demo-echo/s0": .25,
                     "attention/demo-echo/s1": .75}
    assert values_of(Event("r", "gates", 1, (.1, .2, .3, .4)), TASKS)["beta/demo-echo"] == .4
    assert values_of(Event("r", "dev_score", 1, (float("nan"), .5)), TASKS) == {"dev_score/demo-echo": .5}
    assert values_of(Event("r", "loss", 1, (2.,)), TASKS) == {"loss": 2} and SUBJECT.settings["shots"] == "4"
    assert scores_of(RESULT) == {"score/demo-mood/accuracy": .5, "score/demo-echo/accuracy": .75, "score/mean": .625}
    assert table_of(SUBJECT, RESULT) == (["task", "score", "s0", "s1", "alpha", "beta"],
                                         [["demo-mood", .5, 1., 0., .5, .5], ["demo-echo", .75, .25, .75, .6, .4]])
    picture = np.asarray(picture_of([[1., 0.]]))
    assert picture[0, 0] == 0 and picture[-1, -1] == 255


@pytest.mark.parametrize("fails", ["", "start", "log", "end", "close"])
def test_a_tracker_that_fails_is_left_out_and_the_others_go_on(fails: str, tmp_path: Path) -> None:
    trackers = {"mlflow": Kept(fails), "wandb": Kept()}
    one = feed.Feed(list(trackers), tmp_path, [SUBJECT], make=lambda name, home: trackers[name])
    for step in (1, 2):
        one.put(Event(SUBJECT.run, "loss", step, (1.0,)))
    one.over(SUBJECT.run, Outcome("completed", RESULT))
    one.close()
    assert [what[0] for what in trackers["wandb"].told] == ["start", "log", "log", "end", "close"]
    said = one.said()
    assert len(said) == bool(fails) and (not fails or said[0] == (
        "The tracker MLflow failed and is left out from here on: no more disk. Training goes on."))


def test_a_slow_tracker_holds_nobody_up_and_what_is_left_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                    ) -> None:
    monkeypatch.setattr(feed, "MOST_WAITING", 3)
    monkeypatch.setattr(feed, "CLOSE_SECONDS", 0.2)
    one = feed.Feed(["wandb"], tmp_path, [SUBJECT], make=lambda name, home: Kept(slow=0.3))
    for step in range(1000):  # would take five minutes if it waited
        one.put(Event(SUBJECT.run, "loss", step, (1.0,)))
    one.close()
    assert any("events are missing there" in sentence for sentence in one.said())


@pytest.mark.parametrize("words", [("--track", "mlfow"), ("--track", "sacred")])
def test_an_unknown_tracker_is_one_sentence(words: tuple[str, ...], home: Path, capsys: pytest.CaptureFixture[str]
                                            ) -> None:
    assert cli.main(["run", *SMALL, *words]) == 2
    said = capsys.readouterr().err
    assert "'track'" in said and "'tensorboard', 'mlflow', 'trackio', 'wandb'" in said and len(said.splitlines()) == 1


def test_a_tracker_that_is_not_installed_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str],
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "find_spec", lambda name: None)
    assert cli.main(["run", *SMALL, "--track", "wandb"]) == 2
    said = capsys.readouterr().err
    assert "The package 'wandb' is not installed" in said and "requirements-track.txt" in said
    assert len(said.splitlines()) == 1 and Store(home).experiments() == []


def test_a_run_is_followed_to_its_end_and_a_failure_stands_in_its_log(home: Path, monkeypatch: pytest.MonkeyPatch
                                                                      ) -> None:
    kept = {"mlflow": Kept(), "wandb": Kept("log")}
    monkeypatch.setattr(table, "find_spec", lambda name: True)
    monkeypatch.setattr(feed.Feed.__init__, "__defaults__", (lambda name, home: kept[name],))
    assert cli.main(["run", *SMALL, "--track", "mlflow,wandb"]) == 0
    store = Store(home)
    for run in store.runs(store.experiments()[0].id):
        steps = [what[2] for what in kept["mlflow"].told if what[:2] == ("log", run.id) and "loss" in what[3]]
        assert steps == [1, 2, 3, 4, 5, 6] == store.curves([run.id], "loss")[run.id][0].tolist()
        assert ("end", run.id, "completed") in kept["mlflow"].told
    assert "The tracker Weights & Biases failed" in store.log(run.id)


def tracked(home: Path, name: str) -> list[RunRecord]:
    if find_spec(table.TRACKERS[name].package) is None:
        pytest.skip(f"{name} is an extra that is not installed here")
    assert cli.main(["run", *SMALL, "--track", name]) == 0
    store = Store(home)
    return store.runs(store.experiments()[0].id)


def points(home: Path, run: RunRecord) -> dict[str, int]:
    """Name of a value -> how many finite points of it the store has."""
    found: dict[str, int] = {}
    for kind in ("loss", "task_loss", "dev_score", "attention", "gates"):
        steps, values = Store(home).curves([run.id], kind).get(run.id, ((), ()))
        for step, one in zip(steps, values, strict=True):
            for name in values_of(Event(run.id, kind, int(step), tuple(one.tolist())), TASKS):  # type: ignore[arg-type]
                found[name] = found.get(name, 0) + 1
    return found


@pytest.mark.filterwarnings("ignore")  # of the programs themselves
def test_tensorboard_opens_it(home: Path) -> None:
    runs = tracked(home, "tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for run in runs:
        [folder] = (home / "track" / "tensorboard" / run.experiment).glob(f"*{run.id}")
        opened = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
        scalars = {name: len(opened.Scalars(name)) for name in opened.Tags()["scalars"]}
        assert {name: count for name, count in scalars.items() if not name.startswith("score/")} == points(home, run)
        assert opened.Scalars("score/mean")[0].value == pytest.approx(run.result["mean"])
        assert ("attention" in opened.Tags()["images"]) is (run.method == "spp")


@pytest.mark.filterwarnings("ignore")
def test_mlflow_opens_it(home: Path) -> None:
    runs = tracked(home, "mlflow")
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home}/track/mlflow/mlflow.db")
    [experiment] = client.search_experiments(filter_string=f"name = 'compt-{runs[0].experiment}'")
    found = {one.data.tags["compt.run"]: one for one in client.search_runs([experiment.experiment_id])}
    for run in runs:
        one, wanted = found[run.id], points(home, run)
        assert {name: len(client.get_metric_history(one.info.run_id, name)) for name in wanted} == wanted
        assert one.data.metrics["score/mean"] == pytest.approx(run.result["mean"]) and one.data.params["shots"] == "4"
        assert one.info.status == "FINISHED"
        files = {file.path for file in client.list_artifacts(one.info.run_id)}
        assert "tasks.json" in files and ("attention.png" in files) is (run.method == "spp")


@pytest.mark.filterwarnings("ignore")
def test_trackio_opens_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    runs = tracked(home, "trackio")
    from trackio.sqlite_storage import SQLiteStorage

    project = f"compt-{runs[0].experiment}"
    names = {name.split()[-1]: name for name in SQLiteStorage.get_runs(project)}
    for run in runs:
        logs = SQLiteStorage.get_logs(project, names[run.id])
        wanted = points(home, run)
        assert {name: sum(name in one for one in logs) for name in wanted} == wanted
        assert any(one.get("score/mean") == pytest.approx(run.result["mean"]) for one in logs)


def records(data: bytes) -> Iterator[bytes]:
    """The records of a log in LevelDB's format, as W&B writes it behind a head of 7 bytes: blocks of 32 KiB, in them
    checksum (4 bytes), length (2), kind (1: whole, 2: first, 3: middle, 4: last part)."""
    at, whole = 7, b""
    while at + 7 <= len(data):
        if (rest := 32768 - at % 32768) < 7:
            at += rest
            continue
        length, kind = int.from_bytes(data[at + 4:at + 6], "little"), data[at + 6]
        whole, at = whole + data[at + 7:at + 7 + length], at + 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


@pytest.mark.filterwarnings("ignore")
def test_wandb_opens_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    runs = tracked(home, "wandb")
    from wandb.proto import wandb_internal_pb2

    for run in runs:
        [file] = (home / "track" / "wandb" / "wandb").glob(f"offline-run-*-{run.id}/run-{run.id}.wandb")
        counts = dict[str, int]()
        for data in records(file.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            for item in record.history.item:
                name = item.key or "/".join(item.nested_key)
                counts[name] = counts.get(name, 0) + 1
        wanted = points(home, run)
        assert {name: counts.get(name, 0) for name in wanted} == wanted
    assert os.environ["WANDB_MODE"] == "offline"
