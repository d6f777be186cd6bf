"""Data sets of the `datasets` library: saved to disk, and from a hub that stands in a local folder."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import datasets
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from pyarrow import parquet as pq

from compt_core.errors import DataError, HubError
from compt_core.tasks import files, hub
from compt_core.tasks.definition import read_text, written
from compt_core.tasks.files import load_task
from compt_core.tasks.folders import guess_hub
from compt_core.tasks.spec import TaskData
from compt_core.tasks.table import TASKS

GLUE_AND_SET2 = [task for task in TASKS.values() if not task.bundled]
# The splits that the hub's data sets have beside train, as their pages list them.
HUB_SPLITS = {
    "mnli": ("validation_matched", "validation_mismatched", "test_matched", "test_mismatched"),
    "multinli": ("validation_matched", "validation_mismatched"), "imdb": ("test", "unsupervised"),
    "yelp_polarity": ("test",), "cr": ("test",), "ag_news": ("test",),
}


@pytest.fixture(autouse=True)
def _quiet_and_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No bars, no cache of another test: neither ours nor the library's."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    files._load.cache_clear()
    yield
    files._load.cache_clear()


def columns(name: str, mark: str, rows: int = 4) -> dict[str, list]:
    """Rows of a task whose texts tell their split; labels 0, 1, 0, 1 as the hub has them."""
    task = TASKS[name]
    labels: list = [i % 2 for i in range(rows)]
    if name == "scitail":
        labels = ["entails", "neutral"] * (rows // 2)
    if task.numeric:
        labels = [1.25 * i for i in range(rows)]
    texts = {column: [f"{mark} {column} {i}" for i in range(rows)] for column in task.columns}
    return {"label": labels, **texts, "idx": [*range(rows)]}


def hub_folder(folder: Path, name: str) -> Path:
    """A folder of parquet files with the card that gives them configurations and splits, as on the hub."""
    assert TASKS[name].hub is not None
    config = TASKS[name].hub[1] or "default"  # type: ignore[index]
    lines = ["---", "configs:", f"- config_name: {config}", "  data_files:"]
    for split in ("train", *HUB_SPLITS.get(name, ("validation", "test"))):
        (folder / config).mkdir(parents=True, exist_ok=True)
        Dataset.from_dict(columns(name, split)).to_parquet(folder / config / f"{split}-00000-of-00001.parquet")
        lines += [f"  - split: {split}", f"    path: {config}/{split}-*"]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))
    return folder


# --- the hub


@pytest.mark.parametrize("name", [task.name for task in GLUE_AND_SET2])
def test_every_task_comes_from_its_data_set_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder, asked, load = hub_folder(tmp_path / "hub", name), [], datasets.load_dataset
    monkeypatch.setattr(datasets, "load_dataset", lambda path, config: asked.append((path, config)) or load(
        str(folder), config))
    data = load_task(TASKS[name], None)
    assert asked == [TASKS[name].hub[:2]]  # type: ignore[index]
    dev = {"mnli": "validation_matched", "multinli": "validation_matched"} | dict.fromkeys(
        ("imdb", "yelp_polarity", "cr", "ag_news"), "test")
    assert {row.texts[0].split()[0] for row in data.train} == {"train"}
    assert {row.texts[0].split()[0] for row in data.dev} == {dev.get(name, "validation")}
    assert [row.value for row in data.train] == ([0, 1.25, 2.5, 3.75] if name == "stsb" else [0, 1, 0, 1])
    assert len(data.train[0].texts) == len(TASKS[name].columns)
    assert load_task(TASKS[name], None) is data  # asked once per process


def test_all_rows_are_those_of_every_split_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, load = hub_folder(tmp_path / "hub", "mnli"), datasets.load_dataset
    monkeypatch.setattr(datasets, "load_dataset", lambda path, config: load(str(folder), config))
    found = files.all_rows(TASKS["mnli"], None)
    assert {row.texts[0].split()[0] for row in found} == {"train", *HUB_SPLITS["mnli"]}
    assert len(found) == 4 * 5


OWN = """
name: mine
texts: [text]
label: kind
labels: {bad: negative, good: positive}
data: {hub: user/name, configuration: x, train: train_small, dev: validation}
"""


def own_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """A data set of two configurations as it is on the hub; what is asked for is noted."""
    lines, asked, load = ["---", "configs:"], list[tuple[str, "str | None"]](), datasets.load_dataset
    for config in ("x", "y"):
        lines += [f"- config_name: {config}", "  data_files:"]
        for split in ("train", "train_small", "validation"):
            (folder / config).mkdir(parents=True, exist_ok=True)
            kind = ClassLabel(names=["bad", "good"])
            features = Features({"text": Value("string"), "kind": kind, "n": Value("int64")})
            Dataset.from_dict({"text": [f"{config} {split} {i}" for i in range(4)], "kind": [0, 1, 0, -1],
                               "n": [1] * 4}, features).to_parquet(folder / config / f"{split}-0.parquet")
            lines += [f"  - split: {split}", f"    path: {config}/{split}-*"]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))
    monkeypatch.setattr(datasets, "load_dataset",
                        lambda path, config: asked.append((path, config)) or load(str(folder), config))
    return asked


def test_a_persons_own_task_comes_from_the_hub_by_the_names_it_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = own_hub(tmp_path / "hub", monkeypatch)
    task = read_text(OWN)
    data = load_task(task, None)
    assert asked == [("user/name", "x")]
    assert [row.texts[0] for row in data.train] == [f"x train_small {i}" for i in range(3)]  # not the split "train"
    assert [row.label for row in data.dev] == [0, 1, 0] and data.skipped == {"train": 1, "dev": 1}
    assert data.notes == ("The data of task 'mine' has a column that is not used: 'n'.",)
    assert load_task(task, str(tmp_path)) is data, "another folder of data does not hide it"
    assert read_text(written(task)) == task


@pytest.mark.parametrize(("old", "new", "error", "said"), [
    ("configuration: x", "configuration: z", DataError, "Name one of its configurations."),
    ("configuration: x, ", "", DataError, "Name one of its configurations."),
    ("dev: validation", "dev: test", DataError, "has no split test. It has: 'train', 'train_small', 'validation'"),
    ("texts: [text]", "texts: [txt]", DataError, "has no column 'txt'"),
    ("{bad: negative, good: positive}", "{bad: negative, fine: positive}", DataError, "must be one of 'bad', 'fine'"),
])
def test_what_does_not_fit_the_hubs_data_set_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, error: type[Exception], said: str
) -> None:
    own_hub(tmp_path / "hub", monkeypatch)
    assert old in OWN
    with pytest.raises(error) as caught:
        load_task(read_text(OWN.replace(old, new)), None)
    assert said in str(caught.value) and str(caught.value).isprintable() and type(caught.value) is error


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The hub's client as it is outside of tests, told of a hub on this machine by `ENDPOINT`."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    return monkeypatch


def test_a_hub_that_refuses_is_one_sentence_at_once(online: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        online.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        start = time.monotonic()
        with pytest.raises(HubError) as caught:
            load_task(TASKS["rte"], None)
    assert time.monotonic() - start < 30  # busy cores allowed for
    assert str(caught.value) == (
        "The hub with the data set 'nyu-mll/glue' (rte) cannot be reached. Check the network, give a data folder "
        "(--data-dir), or start with HF_HUB_OFFLINE=1 to use data that was loaded before.")


def test_a_hub_that_never_answers_is_given_up(online: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        online.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        online.setattr(hub, "HUB_SECONDS", 0.2)
        with pytest.raises(HubError, match="cannot be reached"):
            load_task(TASKS["cola"], None)


def test_offline_by_choice_without_a_copy_is_one_sentence() -> None:
    with pytest.raises(HubError, match=r"The data set 'nyu-mll/glue' \(cola\) could not be loaded from the hub"):
        load_task(TASKS["cola"], None)


def test_a_hub_that_failed_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HubError):
        load_task(TASKS["cola"], None)
    folder, load = hub_folder(tmp_path / "hub", "cola"), datasets.load_dataset
    monkeypatch.setattr(datasets, "load_dataset", lambda path, config: load(str(folder), config))
    assert len(load_task(TASKS["cola"], None).dev) == 4


# --- save_to_disk


def save(folder: Path, name: str, **splits: Dataset | dict[str, list]) -> TaskData:
    """The task's data after a DatasetDict of `splits` was written below `folder`."""
    made = {split: data if isinstance(data, Dataset) else Dataset.from_dict(data) for split, data in splits.items()}
    DatasetDict(made).save_to_disk(str(folder / name))
    return load_task(TASKS[name], str(folder))


@pytest.mark.parametrize("name", [task.name for task in GLUE_AND_SET2])
def test_every_task_comes_from_a_saved_data_set(tmp_path: Path, name: str) -> None:
    splits = {split: columns(name, split) for split in ("train", *HUB_SPLITS.get(name, ("validation", "test")))}
    data = save(tmp_path, name, **splits)
    assert (len(data.train), len(data.dev)) == (4, 4)
    assert "mismatched" not in data.dev[0].texts[0]
    assert data.skipped == {"train": 0, "dev": 0}


def test_a_dev_split_of_ones_own_goes_before_the_hubs(tmp_path: Path) -> None:
    data = save(tmp_path, "imdb", **{split: columns("imdb", split) for split in ("train", "test", "dev")})
    assert {row.texts[0].split()[0] for row in data.dev} == {"dev"}


def parquet(folder: Path, name: str, **splits: Dataset) -> TaskData:
    """The same as files of the `datasets` library, which hold the names of labels in their metadata."""
    for split, data in splits.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        data.to_parquet(str(folder / name / f"{split}.parquet"))
    return load_task(TASKS[name], str(folder))


def named(name: str, names: list[str], labels: list[int | None], mark: str = "t") -> Dataset:
    """Rows of a task whose label column has `names`."""
    texts = {column: [f"{mark} {column} {i}" for i in range(len(labels))] for column in TASKS[name].columns}
    features = Features({column: Value("string") for column in texts} | {"label": ClassLabel(names=names)})
    return Dataset.from_dict({**texts, "label": labels}, features)


@pytest.mark.parametrize("written", [save, parquet])
@pytest.mark.parametrize(("name", "names", "labels"), [
    ("rte", ["entailment", "not_entailment"], [0, 1, None]),
    ("rte", ["not_entailment", "entailment"], [1, 0, None]),  # rte: 0 = entailment
    ("mnli", ["contradiction", "entailment", "neutral"], [2, 0, None]),
    ("scitail", ["neutral", "entails"], [1, 0, None]),
    ("sst2", ["0", "1"], [0, 1, None]), ("sst2", ["1", "0"], [1, 0, None]), ("sst2", ["-1", "1"], [None, 1, None]),
    ("stsb", ["4.0", "1.0"], [20, 5, None]),
    ("imdb", ["neg", "pos"], [0, 1, None]), ("imdb", ["pos", "neg"], [1, 0, None]),  # as the hub calls them
    ("yelp_polarity", ["1", "2"], [0, 1, None]), ("yelp_polarity", ["2", "1"], [1, 0, None]),
    ("yelp_polarity", ["0", "1"], [0, 1, None]),
])
def test_named_labels_are_read_by_name_whatever_their_order(
    tmp_path: Path, written: Callable[..., TaskData], name: str, names: list[str], labels: list[int | None]
) -> None:
    data = written(tmp_path, name, train=named(name, names, [0, 1, -1]), dev=named(name, names, [1], "d"))
    assert [row.label for row in data.train] == [label for label in labels if label is not None]
    assert [row.label for row in data.dev] == [labels[1]]
    assert data.skipped["train"] == labels.count(None)


@pytest.mark.parametrize("written", [save, parquet])
@pytest.mark.parametrize(("name", "names"), [
    ("rte", ["pos", "neg"]), ("rte", ["no", "yes"]), ("mrpc", ["Equivalent", "Not_equivalent"]),
    ("sst2", ["neg", "pos"]), ("sst2", ["1", "2"]), ("mnli", ["a", "b"]),
    ("stsb", ["low", "high"]), ("yelp_polarity", ["bad", "good"]),
])
def test_label_names_that_the_task_does_not_know_are_refused_by_name(
    tmp_path: Path, written: Callable[..., TaskData], name: str, names: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        written(tmp_path, name, train=named(name, names, [0, 1]), dev=named(name, names, [1], "d"))
    said = str(caught.value)
    assert all(f"Got {word!r} instead" in said or f"{word!r} in row 2 is not a label" in said
               for word in names if word != "1")
    assert "(ClassLabel), so rename it there." in said


@pytest.mark.parametrize("written", [save, parquet])
def test_label_names_that_no_row_has_do_not_matter(tmp_path: Path, written: Callable[..., TaskData]) -> None:
    names = ["hidden", "not_entailment", "entailment"]
    data = written(tmp_path, "rte", train=named("rte", names, [1, 2]), dev=named("rte", names, [2], "d"))
    assert [row.label for row in data.train] == [1, 0]


@pytest.mark.parametrize("kind", ["Int64", "int8", "float64", "category"])
def test_names_outlive_other_types_of_the_label_column(tmp_path: Path, kind: str) -> None:
    """As they come about by way of pandas, which may leave the metadata in the file."""
    (tmp_path / "rte").mkdir()
    for split in ("train", "dev"):
        table = named("rte", ["not_entailment", "entailment"], [0, 1], split)._data.table
        frame = table.to_pandas().astype({"label": kind})
        again = pa.Table.from_pandas(frame).replace_schema_metadata(table.schema.metadata)
        pq.write_table(again, tmp_path / "rte" / f"{split}.parquet")
    assert [row.label for row in load_task(TASKS["rte"], str(tmp_path)).train] == [1, 0]


@pytest.mark.parametrize("metadata", [b"no JSON", b"[]", b"{}", b'{"info": 1}', b'{"info": {"features": {"label": 1}}}',
                                      b'{"info": {"features": {"label": {"_type": "ClassLabel"}}}}', b"\xff"])
def test_metadata_that_name_no_labels_change_nothing(tmp_path: Path, metadata: bytes) -> None:
    (tmp_path / "rte").mkdir()
    for split in ("train", "dev"):
        table = named("rte", ["entailment", "not_entailment"], [0, 1], split)._data.table
        pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), tmp_path / "rte" / f"{split}.parquet")
    assert [row.label for row in load_task(TASKS["rte"], str(tmp_path)).train] == [0, 1]


def test_what_is_wrong_with_a_saved_data_set_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no split dev or validation\. It has: 'train'\."):
        save(tmp_path / "a", "rte", train=columns("rte", "train"))
    with pytest.raises(DataError, match=r"\(train\) has no column 'sentence2'\. It has: 'label', 'sentence1', 'idx'\."):
        save(tmp_path / "b", "rte", train=Dataset.from_dict(columns("rte", "t")).remove_columns("sentence2"),
             dev=columns("rte", "dev"))
    with pytest.raises(DataError, match=r"\(dev\), row 2 must be one of 'entailment', .* Got 7 instead"):
        save(tmp_path / "c", "rte", train=columns("rte", "train"), dev=columns("rte", "dev") | {"label": [0, 7, 0, 1]})
    (tmp_path / "d" / "rte").mkdir(parents=True)
    (tmp_path / "d" / "rte" / "dataset_dict.json").write_text('{"splits": ["train", "dev"]}')
    with pytest.raises(DataError, match=rf"The data set in '{tmp_path}/d/rte' cannot be read: "):
        load_task(TASKS["rte"], str(tmp_path / "d"))


# --- what a data set on the hub is guessed to be


def test_a_data_set_on_the_hub_is_found_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = own_hub(tmp_path / "hub", monkeypatch)
    guess = guess_hub("mine", "user/name", "x")
    task = guess.task
    assert task.hub == ("user/name", "x", "train", "validation") and asked == [("user/name", "x")]
    assert (task.columns, task.label_column, task.labels) == (("text",), "kind", ("bad", "good"))
    assert guess.said[-1] == "Not read: 'train_small'. Only a split with training rows and one with dev rows are."
    assert [row.texts[0] for row in load_task(task, None).dev] == [f"x validation {i}" for i in range(3)]
    assert read_text(written(task)) == task
    assert guess_hub("mine", "user/name", "y", train="train_small").task.hub == ("user/name", "y", "train_small",
                                                                                  "validation")
    assert guess_hub("mine", "user/name", "y", dev="train").task.hub == ("user/name", "y", "train_small", "train")


@pytest.mark.parametrize(("given", "said"), [
    (("user/name",), "The data set 'user/name' on the hub has several configurations: 'x', 'y'. Name one of its"),
    (("user/name", "z"), "The data set 'user/name' on the hub has no configuration 'z': 'x', 'y'. Name one of its"),
    (("user/name", "x", "no"), "has no split 'no'. It has: 'train', 'train_small', 'validation'."),
    (("user/name", "x", "train", "train"), "must have two splits, one to train on and one with dev rows."),
    (("../hub", "x"), "A data set on the hub is called NAME or USER/NAME. Got '../hub' instead."),
])
def test_what_a_data_set_must_be_told_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                    given: tuple[str, ...], said: str) -> None:
    own_hub(tmp_path / "hub", monkeypatch)
    with pytest.raises(DataError) as caught:
        guess_hub("mine", *given)
    assert said in str(caught.value) and str(caught.value).isprintable()


def test_without_the_hub_a_guess_is_one_sentence() -> None:
    with pytest.raises(HubError, match=r"'user/name' could not be loaded from the hub .* or give a folder with its"):
        guess_hub("mine", "user/name")
