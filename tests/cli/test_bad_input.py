"""Bad input is one line on stderr and exit code 2, and nothing is written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from compt_core.cli.terminal import LONGEST_LINE

ROOT = Path(__file__).resolve().parents[2]
_PRESETS = "'demo', 'demo-glue', 'english', 'glue', 'set2', 'first-1', 'first-2', 'first-3'"


@pytest.fixture
def refused(call: Callable[..., Any], home: Path, tmp_path: Path) -> Callable[..., str]:
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


# --- settings and words


@pytest.mark.parametrize(("words", "says"), [
    (("--tasks", "nope"), "There is no task 'nope'. Known tasks: "),
    (("--tasks", "mprc"), "There is no task 'mprc'. Did you mean 'mrpc'?"),
    (("--tasks", "demo-mood,demo-mood"), "must not repeat a value. Got 'demo-mood' twice."),
    (("--tasks", ""), "must be one or more task names. Got '' instead."),
    (("--shots", "0"), "The 'shots' setting of an experiment must be an integer in [1, 1024]. Got 0 instead."),
    (("--shots", "-1"), "Got '-1' instead."),
    (("--shots", "x"), "Got 'x' instead."),
    (("--methods", "spp,foo"), "Got 'foo' instead."),
    (("--steps", "many"), "The 'steps' setting of an experiment must be an integer in [1, 1000000], or empty."),
    (("--eval-rows", "0"), "The 'eval_rows' setting of an experiment must be an integer in [1, 10000000], or empty."),
    (("--seeds", "0-99999"), "at most 2000 runs."),
    (("--methods", "spp", "--set", "sources=0"), "The 'sources' setting of an experiment must be an integer in [1,"),
    (("--set", "attention=[[1,0],[0,1]]"), "a column per source (12 x 4). Got 2 x 2 instead."),
    (("--set", "attention=[[.nan, 1]]"), "a matrix of finite numbers >= 0"),
    (("--set", "gates=fixed", "--set", "alpha=0", "--set", "beta=0"), "'alpha' and 'beta' must not both be 0"),
    (("--set", "sourcs=3"), "There is no setting 'sourcs'. Did you mean 'sources'?"),
    (("--set", "sources"), "An option --set must have the form key=value. Got 'sources' instead;"),
    (("--set", "=3"), "There is no setting ''."),
    (("--set", "batch=yes"), "must be an integer in [1, 4096]. Got 'yes' instead."),
    (("--set", "batch=true"), "must be an integer in [1, 4096]. Got True instead."),
    (("--set", "steps=!!bool x"), "or empty. Got '!!bool x' instead. It must hold no tags."),
    (("--set", "steps=!!timestamp x"), "Got '!!timestamp x' instead. It must hold no tags."),
    (("--set", "clip=&a [*a]"), "Got '&a [*a]' instead. It must hold no anchors and no aliases."),
    (("--set", "steps=0x" + "F" * 4000), "The 'steps' setting of an experiment must be an integer in"),
    (("--set", "method_settings={pt: {steps: 1, steps: 2}}"), "It must name each setting once."),
    (("--steps", "٣"), "Got '٣' instead. Write 3, in decimal digits."),
    (("--set", "gr\udcf6\udcdfe=1"), "There is no setting 'gr\\\\udcf6\\\\udcdfe'."),
    (("--set", "\udcff=1", "--set", "sources=0"), "The 'sources' setting of an experiment must be"),
    (("--tasks", "0-99999"), "There is no task '0-99999'."),
    (("--steps", "1_0"), "Got '1_0' instead. Write 10, in decimal digits."),
    (("--steps", "1e1"), "Got 10.0 instead. Write 10, without"),
    (("--shots", "²"), "Got '²' instead."),
    (("--seeds", "1-²"), "Got '1-²' instead."),
    (("--steps", "2", "--steps", "3"), "The option --steps must be given once. Got it 2 times; leave all but one out."),
    (("--preset", "demo", "--preset=glue"), "The option --preset must be given once."),
    (("--steps", "2", "--set", "steps=4"), "'steps' must be given only once. Got '--steps 2' and '--set steps=4'"),
    (("--set", "steps=2", "--set", " steps = 2"), "'steps' must be given only once. Got '--set steps=2' and"),
    (("--methods", "pt", "--set", "method=spp"), "The setting 'methods' must be given only once."),
    (("--seeds", "1", "--set", "seed=1"), "The setting 'seeds' must be given only once."),
    (("--set", "seed=1", "--set", "seeds=1", "--set", "seed=2"), "'--set seed=1' and '--set seeds=1' and '--set seed"),
    (("--set", "form=" + "x" * 9000), "must be one of 'mean', 'gated_sum', 'sum'. Got 'xxx"),
    (("--tasks", "x" * 9000), "There is no task 'xxx"),
    (("--set", "x" * 9000), "must have the form key=value. Got 'xxx"),
    (("--set", "attention=" + "[" * 3000), "The 'attention' setting of an experiment must be"),
    (("--preset", "dmeo"), f"The preset must be one of {_PRESETS}. "
                           "Got 'dmeo' instead. Did you mean 'demo'?"),
    (("--preset", ""), f"The preset must be one of {_PRESETS}. Got ''"),
    (("--set", "preset="), "only with --preset. Got --set 'preset='; write --preset NAME instead."),
    (("--set", "preset=demo"), "only with --preset. Got --set 'preset=demo';"),
    (("--preset", "demo", "--set", "preset=first-1"), "only with --preset."),
    (("--data-dir", ""), "The 'data_dir' setting of an experiment must be a folder"),
    (("--backbone", ""), "The 'backbone' setting of an experiment must be 'demo', 'english', a folder"),
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
    ("tsks", (), "No such command 'tsks'. Did you mean 'tasks', 'task'? See 'python -m compt_core --help'."),
    ("--speed", (), "There is no option '--speed'. See 'python -m compt_core --help'."),
    ("tasks", ("more",), "Got unexpected extra argument(s) (more)."),
    ("runs", ("--limit", "0"), "Invalid value for '--limit'"),
    ("runs", ("--limit", "x"), "Invalid value for '--limit'"),
    ("runs", ("--limit", "1_0"), "must be an integer in [1, 10000]. Got '1_0' instead."),
    ("runs", ("--limit", "10001"), "must be an integer in [1, 10000]. Got '10001' instead."),
    ("runs", ("--limit", "3", "--limit", "4"), "The option --limit must be given once."),
    ("export", ("abc", "--out", "a", "--out", "b", "--format", "csv"), "The option --out must be given once."),
    ("whatif", ("abc", "--edit", "mute=s1", "--edit", "mute=s2"), "The option --edit must be given once."),
    ("show", (), "Missing argument 'RUN'. See 'python -m compt_core show --help'."),
    ("show", ("abc",), "There are no runs in "),
    ("cancel", ("abc",), "There are no runs in "),
])
def test_bad_words_are_one_line(refused: Callable[..., str], command: str, words: tuple[str, ...], says: str) -> None:
    assert says in refused(*words, command=command)


def test_all_problems_of_a_set_are_reported_together(refused: Callable[..., str]) -> None:
    message = refused("--shots", "0", "--steps", "x", "--set", "clip=-1", "--set", "bach=3")
    for name in ("'shots'", "'steps'", "'clip'", "'bach'. Did you mean 'batch'?"):
        assert message.count(name) == 1
    message = refused("--tasks", "nope,demo-mood", "--shots", "1024", "--set", "shots_per=class", "--backbone", "/none")
    for part in ("There is no task 'nope'.", "per label (1000)", "'/none' is not a folder"):
        assert part in message


# --- files


def test_bad_data_is_one_line(refused: Callable[..., str], tmp_path: Path, tiny_t5: Path) -> None:
    def with_data(name: str, *words: str, **files: str) -> str:
        folder = write(tmp_path / name, **files)
        return refused("--tasks", "rte", "--backbone", tiny_t5, "--data-dir", folder, "--methods", "pt", *words)

    assert "training rows of task 'rte' (6). Got 7 instead; choose fewer shots." in with_data(
        "few", "--shots", "7", train=ROWS, dev=DEV)
    assert "line 3 must be one of 'entailment', 'not_entailment', or its index 0 to 1. Got '2' instead." in with_data(
        "label", train=ROWS, dev=HEADER + "c\td\t1\ne\tf\t2\n")
    assert "has no column 'label'. It has: 'sentence1', 'sentence2'." in with_data(
        "column", train="sentence1\tsentence2\na\tb\n", dev=DEV)
    assert "train.tsv' is empty. Give a header row and at least one row below it." in with_data(
        "empty", train="", dev=DEV)
    assert "dev.tsv' has no rows. Give at least one row below the header." in with_data(
        "header", train=ROWS, dev=HEADER)
    assert "has no dev or validation file." in with_data("lone", train=ROWS)
    assert "line 8, must have 3 cells, as its first line has. Got 2 instead." in with_data(
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
    for name, change in {"cut": {"num_layers": 1}, "large": {"num_layers": 10**4}, "broken": {}}.items():
        shutil.copytree(tiny_t5, tmp_path / name)
        (tmp_path / name / "config.json").write_text(json.dumps(config | change))
    weights = load_file(tiny_t5 / "model.safetensors")
    weights["shared.weight"][:] = float("nan")
    save_file(weights, tmp_path / "broken/model.safetensors")
    assert "which its config.json does not know" in refused("--backbone", tmp_path / "cut")
    assert "as a whole number from 1 to 1,000. Got 10000" in refused("--backbone", tmp_path / "large")
    assert "must hold finite numbers of at most 65,504. Got nan" in refused("--backbone", tmp_path / "broken")
    data = write(tmp_path / "data", train=ROWS, dev=HEADER + "Cairo burns\tRome\t0\nCairo\tRome burns\t1\n")
    assert "has no pieces for" in refused("--tasks", "rte", "--backbone", "demo", "--data-dir", data)


@pytest.mark.slow
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
    assert "'lab/t5' is not a local folder and could not be fetched from the hub: it cannot" in done.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("content", "says"), [
    ("shots: 8\nsourcs: 3\n", "There is no setting 'sourcs'. Did you mean 'sources'?"),
    ("shots: 0\n", "Got 0 instead."),
    ("- shots\n", "must hold lines of the form 'name: value'. Got a list instead."),
    ("shots: [\n", "is not valid YAML: line 2"),
    ("\x00\x01", "is not valid YAML"),
    ("preset: nothing\n", "Got 'nothing' instead."),
    ("preset:\n", f"The preset must be one of {_PRESETS}. Got nothing"),
    ("shots: 8\nshots: 9\n", "Got 'shots' twice."),
    ("steps: 5\n", "The 'tasks' setting of an experiment must be one or more task names. Got nothing instead."),
    ("tasks: []\n", "The 'tasks' setting of an experiment must be one or more task names. Got nothing instead."),
    ("tasks: [demo-mood]\nmethods: []\n", "one or more of 'pt', 'mst', 'mpt', 'spp', 'scp'. Got nothing instead."),
    ("tasks:\n", "The 'tasks' setting of an experiment must be one or more task names. Got nothing instead."),
    ("tasks: [demo-mood]\nseed: 1\nseeds: 2\n", "The settings must name 'seeds' once. Got 'seed' as well"),
    ("tasks: [demo-mood]\nshots: 1:30\n", "Got '1:30' instead."),
    ("tasks: [demo-mood]\nmethod_settings:\n pt:\n  steps: 1\n  steps: 2\n", "Got 'steps' twice. See line 5, column"),
    ("tasks: &a [demo-mood]\n", "must hold no anchors and no aliases. Got '&a'."),
    ("tasks: [010]\n", "There is no task '010'."),
])
def test_a_bad_settings_file_is_one_line(
    refused: Callable[..., str], tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "s.yaml").write_text(content)
    assert says in refused("--config", tmp_path / "s.yaml")


@pytest.mark.parametrize(("path", "says"), [
    ("no/such/x.json", "its folder does not exist; create it first"), (".", "it is a folder; name a file in it"),
    ("/dev/stdout", "it is a device, a pipe or this command's own output; name a file"),
    ("/dev/null", "it is a device"),
    ("n" * 300, "File name too long"), ("a/" * 3000 + "x", "its folder does not exist"),
])
def test_a_json_file_that_cannot_be_written_is_refused_before_training(
    refused: Callable[..., str], path: str, says: str
) -> None:
    message = refused("--json", path)
    assert "of --json cannot be written: " in message
    assert says in message


def test_a_json_file_that_is_a_pipe_or_a_link_to_itself_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "lost").symlink_to("no/such.json")
    assert "it is a device, a pipe or this command's own output" in refused("--json", tmp_path / "pipe")
    assert "it is a link that leads to itself" in refused("--json", tmp_path / "circle")
    assert "its folder does not exist" in refused("--json", tmp_path / "lost")


@pytest.mark.slow
def test_the_file_that_takes_the_table_is_not_replaced_by_the_json(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "compt_core", "run", "--preset", "first-1", "--json", str(tmp_path / "out")],
            cwd=ROOT, env={**os.environ, "COMPT_HOME": str(tmp_path / "home")}, stdout=out, stderr=subprocess.PIPE,
            text=True, check=False)
    assert done.returncode == 2
    assert "this command's own output" in done.stderr
    assert not (tmp_path / "home").exists()
