"""A selection of public rows without their texts: rows are found by fingerprint, and written whole or not at all."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from compt_core.cli.main import main
from compt_core.errors import DataError
from compt_core.settings.presets import ENGLISH_TASKS
from compt_core.tasks import selections
from compt_core.tasks.files import all_rows, load_task
from compt_core.tasks.spec import Row, Task
from compt_core.tasks.table import TASKS

ROWS = [Row((f"text  number {i}",), i % 2, float(i % 2)) for i in range(6)]


def test_the_bundled_selection_has_the_tasks_of_the_preset_and_no_row_twice() -> None:
    marks = selections.fingerprints("english")
    assert list(marks) == ENGLISH_TASKS
    assert {name: [len(splits["train"]), len(splits["dev"])] for name, splits in marks.items()} == {
        name: [512, 277 if name == "rte" else 300] for name in ENGLISH_TASKS}
    for splits in marks.values():
        every = [*splits["train"], *splits["dev"]]
        assert len(set(every)) == len(every)


def test_a_fingerprint_is_of_the_words_and_the_label() -> None:
    one = Row(("a  b\n", "c"), 1, 1.0)
    assert selections.fingerprint(one) == selections.fingerprint(Row(("a b", "c"), 1, 1.0))
    others = [Row(("a b", "c"), 0, 0.0), Row(("a", "b c"), 1, 1.0), Row(("A b", "c"), 1, 1.0)]
    assert len({selections.fingerprint(row) for row in (one, *others)}) == 4


def test_rows_come_in_the_order_of_the_selection() -> None:
    wanted = {"train": [selections.fingerprint(ROWS[i]) for i in (4, 1)], "dev": [selections.fingerprint(ROWS[2])]}
    found = selections.chosen(iter(ROWS), wanted, "sst2")
    assert {split: [row.texts[0] for row in rows] for split, rows in found.items()} == {
        "train": ["text number 4", "text number 1"], "dev": ["text number 2"]}
    with pytest.raises(DataError, match="'sst2' lacks 2 of the 3 rows"):
        selections.chosen(ROWS[2:4], wanted, "sst2")


@pytest.fixture
def small(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of one task, and a selection `english` of some of its rows."""
    for split, rows in (("train", ROWS[:4]), ("dev", ROWS[4:])):
        path = tmp_path / "own" / "sst2" / f"{split}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps({"sentence": row.texts[0], "label": row.label}) + "\n" for row in rows))
    marks = {"sst2": {"train": [selections.fingerprint(row) for row in ROWS[1:3]],
                      "dev": [selections.fingerprint(row) for row in ROWS[4:]]}}
    monkeypatch.setattr(selections, "fingerprints", lambda name: marks)
    return tmp_path / "own"


def test_the_command_fetches_from_a_folder_and_a_data_folder_of_that_name_means_it(
        small: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"not on this machine yet.*data fetch english"):
        load_task(TASKS["sst2"], "english")
    assert main(["run", "--tasks", "sst2", "--data-dir", "english"]) == 2
    assert "data fetch english" in capsys.readouterr().err
    assert main(["data", "fetch", "english", "--data-dir", str(small)]) == 0
    assert str(home / "data" / "english") in capsys.readouterr().out
    data = load_task(TASKS["sst2"], "english")
    assert [row.texts for row in data.train] == [("text number 1",), ("text number 2",)]
    assert [row.label for row in data.dev] == [0, 1]
    assert main(["data", "fetch", "english", "--data-dir", "/nowhere"]) == 0
    assert capsys.readouterr().err == "They are there already, so '/nowhere' is not read.\n"
    (home / "data" / "english" / "sst2" / "dev.jsonl").unlink()
    assert main(["data", "fetch", "english", "--data-dir", str(small)]) == 2
    assert "lacks 'sst2/dev.jsonl', so the rows" in capsys.readouterr().err


def test_of_two_who_fetch_at_once_one_waits_for_the_other(small: Path, home: Path) -> None:
    calls: list[str] = []
    problems: list[Exception] = []

    def read(task: Task) -> tuple[Row, ...]:
        calls.append(task.name)
        time.sleep(0.3)
        return all_rows(task, str(small))

    def fetch() -> None:
        try:
            selections.fetch("english", TASKS, read)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == ["sst2"] and problems == []


def test_a_home_that_cannot_be_written_to_is_a_sentence(small: Path, home: Path, monkeypatch: pytest.MonkeyPatch,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("COMPT_HOME", str(home / "file"))
    assert main(["data", "fetch", "english", "--data-dir", str(small)]) == 2
    assert "The rows of 'english' cannot be written to '" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "said"), [
    (["data", "fetch", "englsh"], "must be those of 'english'. Got 'englsh' instead. Did you mean 'english'?"),
    (["data", "fetch", "english", "--data-dir", "/nowhere"], "'/nowhere' has no folder for the task 'sst2'"),
])
def test_what_cannot_be_fetched_is_told_and_leaves_nothing(small: Path, home: Path, capsys: pytest.CaptureFixture[str],
                                                           words: list[str], said: str) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err
    assert not list(home.glob("data/[!.]*")) and not (home / "data" / "english").exists()


def test_all_rows_are_those_of_every_split_that_has_labels(small: Path) -> None:
    assert [row.texts[0] for row in all_rows(TASKS["sst2"], str(small))] == [row.texts[0] for row in ROWS]
