"""The command line: what it prints, what it refuses and how, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from compt_core import cli
from compt_core.config import RunConfig, build_experiment
from compt_core.errors import StoreError
from compt_core.runs.record import State
from compt_core.runs.store import Store
from compt_core.tasks.table import TASKS
from compt_core.terminal import LONGEST_LINE, Ticker
from compt_core.training.events import Outcome
from tests.test_report import read

ROOT = Path(__file__).resolve().parent.parent
SMALL = ("--tasks", "demo-mood,demo-echo", "--shots", "4", "--steps", "2", "--eval-rows", "6")


class Done(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """COMPT_HOME, not there yet: whoever makes it has written something."""
    monkeypatch.setenv("COMPT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def call(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """The command line in this process, in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*words: object) -> Done:
        capsys.readouterr()
        code = cli.main([str(word) for word in words])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(call: Call, home: Path, tmp_path: Path) -> Callable[..., str]:
    """The one line with which `run` refuses: exit code 2, nothing on stdout, nothing written anywhere."""
    def line(*words: object, command: str = "run") -> str:
        done = call(command, *words)
        assert done.code == 2, done
        assert done.out == ""
        assert done.err.endswith("\n")
        message = done.err[:-1]
        assert message.isprintable(), message  # so it is one line, too
        assert len(message) <= LONGEST_LINE
        assert not home.exists()
        assert not list((tmp_path / "here").iterdir())
        return message

    return line


def write(folder: Path, task: str = "rte", **files: str) -> Path:
    """A data folder; files by split, as tsv."""
    (folder / task).mkdir(parents=True)
    for split, text in files.items():
        (folder / task / f"{split}.tsv").write_text(text)
    return folder


HEADER = "sentence1\tsentence2\tlabel\n"
ROWS = HEADER + "".join(f"a {i}\tb\t{i % 2}\n" for i in range(6))
DEV = HEADER + "c\td\t0\ne\tf\t1\n"


# --- bad input: settings and words


@pytest.mark.parametrize(("words", "says"), [
    (("--tasks", "nope"), "There is no task 'nope'. Known tasks: demo-mood, "),
    (("--tasks", "mprc"), "There is no task 'mprc'. Did you mean 'mrpc'?"),
    (("--tasks", "demo-mood,demo-mood"), "must not repeat a value. Got 'demo-mood' twice."),
    (("--tasks", ""), "must be one or more task names. Got '' instead."),
    (("--shots", "0"), "The 'shots' setting of an experiment must be an integer in [1, 1024]. Got 0 instead."),
    (("--shots", "-1"), "Got '-1' instead."),
    (("--shots", "x"), "Got 'x' instead."),
    (("--methods", "spp,foo"), "Got 'foo' instead."),
    (("--steps", "many"), "The 'steps' setting of an experiment must be an integer in [1, 1000000], or empty."),
    (("--eval-rows", "0"), "The 'eval_rows' setting of an experiment must be an integer in [1, 10000000], or empty."),
    (("--seeds", "0-99999"), "An experiment holds at most 2000 runs."),
    (("--methods", "spp", "--set", "sources=0"), "The 'sources' setting of an experiment must be an integer in [1,"),
    (("--set", "attention=[[1,0],[0,1]]"), "a column per source (12 x 4). Got 2 x 2 instead."),
    (("--set", "attention=[[.nan, 1]]"), "a matrix of finite numbers >= 0"),
    (("--set", "gates=fixed", "--set", "alpha=0", "--set", "beta=0"), "'alpha' and 'beta' must not both be 0"),
    (("--set", "sourcs=3"), "There is no setting 'sourcs'. Did you mean 'sources'?"),
    (("--set", "sources"), "An option --set must have the form key=value. Got 'sources' instead;"),
    (("--set", "=3"), "There is no setting ''."),
    (("--set", "batch=yes"), "must be an integer in [1, 4096]. Got True instead."),
    (("--set", "form=" + "x" * 9000), "must be one of 'mean', 'gated_sum', 'sum'. Got 'xxx"),
    (("--tasks", "x" * 9000), "There is no task 'xxx"),
    (("--set", "x" * 9000), "must have the form key=value. Got 'xxx"),
    (("--set", "attention=" + "[" * 3000), "The 'attention' setting of an experiment must be"),
    (("--preset", "dmeo"), "The preset must be one of 'demo', 'glue', 'set2', 'first-1', 'first-2', 'first-3'. "
                           "Got 'dmeo' instead. Did you mean 'demo'?"),
    (("--data-dir", ""), "The 'data_dir' setting of an experiment must be a folder"),
    (("--backbone", ""), "The 'backbone' setting of an experiment must be 'demo', a folder"),
    (("--foo",), "There is no option '--foo'. See 'python -m compt_core run --help'."),
    (("--shotz", "3"), "There is no option '--shotz'. Did you mean '--shots'? See 'python -m compt_core run --help'."),
    (("--shots",), "Option '--shots' requires an argument."),
    (("more",), "Got unexpected extra argument(s) (more). See 'python -m compt_core run --help'."),
    (("--config", "no.yaml"), "The settings file 'no.yaml' cannot be read: No such file or directory."),
    (("--json", "a\0b"), "Invalid value for '--json': Value error, embedded null byte."),
    (("--tasks", "demo-mood\n\x1b[31m"), "There is no task 'demo-mood\\n\\x1b[31m'. Did you mean 'demo-mood'?"),
])
def test_bad_settings_are_one_line(refused: Callable[..., str], words: tuple[str, ...], says: str) -> None:
    assert says in refused(*words)


@pytest.mark.parametrize(("command", "words", "says"), [
    ("tsks", (), "No such command 'tsks'. Did you mean 'tasks'? See 'python -m compt_core --help'."),
    ("--speed", (), "There is no option '--speed'. See 'python -m compt_core --help'."),
    ("tasks", ("more",), "Got unexpected extra argument(s) (more)."),
    ("runs", ("--limit", "0"), "Invalid value for '--limit'"),
    ("runs", ("--limit", "x"), "Invalid value for '--limit'"),
    ("show", (), "Missing argument 'RUN'. See 'python -m compt_core show --help'."),
    ("show", ("abc",), "There are no runs yet in "),
    ("cancel", ("abc",), "There are no runs yet in "),
])
def test_bad_words_are_one_line(refused: Callable[..., str], command: str, words: tuple[str, ...], says: str) -> None:
    assert says in refused(*words, command=command)


def test_all_problems_of_a_set_are_reported_together(refused: Callable[..., str]) -> None:
    message = refused("--shots", "0", "--steps", "x", "--set", "clip=-1", "--set", "bach=3")
    for name in ("'shots'", "'steps'", "'clip'", "'bach'. Did you mean 'batch'?"):
        assert message.count(name) == 1
    message = refused("--tasks", "nope,demo-mood", "--shots", "1024", "--set", "shots_per=class", "--backbone", "/none")
    for part in ("There is no task 'nope'.", "per label (1000)", "'/none' is no folder"):
        assert part in message


# --- bad input: files


def test_bad_data_is_one_line(refused: Callable[..., str], tmp_path: Path, tiny_t5: Path) -> None:
    def with_data(name: str, *words: str, **files: str) -> str:
        folder = write(tmp_path / name, **files)
        return refused("--tasks", "rte", "--backbone", tiny_t5, "--data-dir", folder, "--methods", "pt", *words)

    assert "training rows of task 'rte' (6). Got 7 instead; choose fewer shots." in with_data(
        "few", "--shots", "7", train=ROWS, dev=DEV)
    assert "line 3 must be one of 'entailment', 'not_entailment', or its index 0 to 1. Got '2' instead." in with_data(
        "label", train=ROWS, dev=HEADER + "c\td\t1\ne\tf\t2\n")
    assert "has no column 'label'. It has: sentence1, sentence2." in with_data(
        "column", train="sentence1\tsentence2\na\tb\n", dev=DEV)
    assert "train.tsv' is empty. Give a header row and at least one row below it." in with_data(
        "empty", train="", dev=DEV)
    assert "dev.tsv' has no rows. Give at least one row below the header." in with_data(
        "header", train=ROWS, dev=HEADER)
    assert "has no dev or validation file." in with_data("lone", train=ROWS)
    assert "line 8, must have 3 cells, as its header has. Got 2 instead." in with_data(
        "ragged", train=ROWS + "a\tb\n", dev=DEV)
    assert f"The data folder '{tmp_path}/no' does not exist." in refused(
        "--tasks", "rte", "--data-dir", tmp_path / "no")


def test_bad_backbones_are_one_line(refused: Callable[..., str], tmp_path: Path, tiny_t5: Path) -> None:
    for name in ("nothing", "pickled", "bert"):
        (tmp_path / name).mkdir()
    config = json.loads((tiny_t5 / "config.json").read_text())
    (tmp_path / "pickled" / "config.json").write_text(json.dumps(config))
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x04")
    (tmp_path / "bert" / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    assert "has no readable config.json" in refused("--backbone", tmp_path / "nothing")
    assert "Got only pickled weights (pytorch_model.bin)" in refused("--backbone", tmp_path / "pickled")
    assert "must be of the T5 family (t5, mt5, umt5). Got model type 'bert'" in refused("--backbone", tmp_path / "bert")
    assert "has no pieces for label words of 'rte'" in refused("--tasks", "rte", "--backbone", "demo", "--data-dir",
                                                               write(tmp_path / "data", train=ROWS, dev=DEV))


def test_a_hub_that_cannot_be_reached_is_one_line_at_once(tmp_path: Path) -> None:
    """In a process of its own, as the hub's client reads its address when it is imported."""
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0",
                   "HF_HOME": str(tmp_path / "hf"), "COMPT_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "compt_core", "run", "--tasks", "rte,cola", "--backbone", "lab/t5"], cwd=ROOT,
        env=environment, text=True, capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "The hub with the data set 'nyu-mll/glue' (rte) cannot be reached." in done.stderr
    assert "The backbone 'lab/t5' is no local folder and could not be fetched from the hub: it cannot" in done.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("content", "says"), [
    ("shots: 8\nsourcs: 3\n", "There is no setting 'sourcs'. Did you mean 'sources'?"),
    ("shots: 0\n", "Got 0 instead."),
    ("- shots\n", "must hold lines of the form 'name: value'. Got a list instead."),
    ("shots: [\n", "is not valid YAML: line 2"),
    ("\x00\x01", "is not valid YAML"),
    ("preset: nothing\n", "Got 'nothing' instead."),
    ("shots: 8\nshots: 9\n", "Got 'shots' twice."),
])
def test_a_bad_settings_file_is_one_line(
    refused: Callable[..., str], tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "s.yaml").write_text(content)
    assert says in refused("--config", tmp_path / "s.yaml")


@pytest.mark.parametrize(("path", "says"), [
    ("no/such/x.json", "its folder does not exist; create it first"), (".", "it is a folder; name a file in it"),
    ("n" * 300, "File name too long"), ("a/" * 3000 + "x", "its folder does not exist"),
])
def test_a_json_file_that_cannot_be_written_is_refused_before_training(
    refused: Callable[..., str], path: str, says: str
) -> None:
    message = refused(*SMALL, "--json", path)
    assert "of --json cannot be written: " in message
    assert says in message


# --- what reaches the experiment


@pytest.fixture
def submitted(call: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The experiment that `run` would train."""
    def experiment(*words: object) -> Any:
        caught: list[Any] = []
        monkeypatch.setattr(cli, "_train", lambda experiment, json_file: caught.append(experiment) or 0)
        done = call("run", *words)
        assert (done.code, done.err) == (0, "")
        return caught[0]

    return experiment


def test_without_words_the_demo_runs(submitted: Callable[..., Any]) -> None:
    experiment = submitted()
    assert experiment.backbone == "demo"
    assert experiment.methods == ("pt", "mst", "spp", "scp")
    assert len(experiment.tasks) == 12


def test_options_go_over_the_file_and_the_file_over_its_preset(submitted: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("preset: first-2\nshots: 4\nseeds: 0-2\nbatch: 5\n")
    experiment = submitted("--config", file, "--shots", "6", "--set", "seed=3")
    assert (experiment.methods, experiment.shots, experiment.seeds, experiment.batch) == (("mst", "pt"), (6,), (3,), 5)
    assert submitted("--config", file, "--preset", "first-3").methods == ("spp",)
    assert submitted("--preset", "first-3", "--set", "preset=first-1").methods == ("pt",)


def test_a_file_alone_starts_from_defaults(submitted: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("tasks: [demo-mood, demo-echo]\n")
    experiment = submitted("--config", tmp_path / "s.yaml")
    assert (experiment.sources, experiment.shots, experiment.methods) == (3, (16,), ("pt", "mst", "spp"))
    assert submitted("--tasks", "demo-mood").sources == 3


def test_values_are_read_as_they_are_meant(submitted: Callable[..., Any]) -> None:
    experiment = submitted("--tasks", "demo-mood,demo-echo", "--set", "attention=[[1, 0], [0, 1]]",
                           "--set", "sources=2", "--set", "gates=off", "--set", "lr_source=1e-2",
                           "--set", "steps=", "--set", "seed=3",
                           "--set", "method_settings={pt: {lr_private: .3}}", "--set", "init_seed=7")
    assert experiment.attention == ((1, 0), (0, 1))
    assert (experiment.gates, experiment.lr_source, experiment.steps, experiment.seeds) == ("off", 0.01, None, (3,))
    assert experiment.runs()[0].lr_private == 0.3


def test_folders_with_names_like_numbers_stay_text(
    submitted: Callable[..., Any], tmp_path: Path, glue_dir: Path, tiny_t5: Path
) -> None:
    (tmp_path / "here" / "2024-01-01").symlink_to(glue_dir)
    (tmp_path / "here" / "007").symlink_to(tiny_t5)
    experiment = submitted("--tasks", "rte", "--set", "data_dir=2024-01-01", "--set", "backbone=007")
    assert (experiment.data_dir, experiment.backbone) == (str(tmp_path / "here/2024-01-01"), str(tmp_path / "here/007"))


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

        monkeypatch.setattr(cli, "drain", drain)

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
    assert done == (130, "", "Interrupted; what was running is stopped.\n")
    assert not (tmp_path / "out.json").exists()


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


# --- progress


class _Held:
    """A lease that is held, or not."""

    def __init__(self, held: bool) -> None:
        self.lease = self
        self.held = held


def test_who_waits_is_told_for_what(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(home)
    first, second = (store.submit(build_experiment({"methods": methods}, preset="first-1"))
                     for methods in ("pt,mst", "pt"))
    ticker = Ticker(store, _Held(False))  # type: ignore[arg-type]
    for _ in range(2):  # said once
        ticker.tick(store.runs(second))
    assert capsys.readouterr().err == "waiting: 2 runs of earlier experiments ahead in the queue\n"
    for record in store.claim():
        store.request(record.id, "cancel")
    store.sweep()
    ticker.tick(store.runs(second))
    assert capsys.readouterr().err == "waiting: another process is training, this experiment is next\n"
    assert {record.state for record in store.runs(first)} == {State.CANCELLED}
    Ticker(store, _Held(True)).tick(store.runs(second))  # type: ignore[arg-type]
    record, = store.claim()
    ticker.tick(store.runs(second))
    store.started(record.id, 10, {})
    ticker.tick(store.runs(second))
    assert capsys.readouterr().err == ""
    store.close()


# --- processes


def test_tasks_load_no_torch_and_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "datasets", "pandas", "sklearn", "scipy")
    code = ("import sys; from compt_core.cli import main; main(['tasks']); "
            f"print([m for m in {heavy} if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_module_ends_with_the_exit_code() -> None:
    done = subprocess.run([sys.executable, "-m", "compt_core", "run", "--foo"], cwd=ROOT, text=True,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "There is no option '--foo'. See 'python -m compt_core run --help'.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_stops_in_order(home: Path, number: int) -> None:
    with subprocess.Popen([sys.executable, "-m", "compt_core", "worker"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"Training what is queued in {home}. Stop with Ctrl+C.\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")
