"""What a folder of rows is guessed to be: six public schemas in every kind of file."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from openpyxl import Workbook

from compt_core.errors import ComptError, DataError
from compt_core.tasks.definition import read_text, written
from compt_core.tasks.files import load_task
from compt_core.tasks.own import guess_folder
from compt_core.tasks.spec import Task

WORDS = ("the", "good", "bad", "film", "river", "city", "who", "what", "when", "play", "dull", "music", "song", "team")
ENDINGS = ("csv", "tsv", "jsonl", "parquet", "xlsx")
Rows = list[dict[str, Any]]


def said(dice: random.Random, count: int = 8) -> str:
    return " ".join(dice.choice(WORDS) for _ in range(count))


def boolq(dice: random.Random, i: int) -> dict[str, Any]:
    return {"question": said(dice, 6), "title": said(dice, 2), "answer": i % 2 == 0, "passage": said(dice, 60)}


SCHEMAS: dict[str, Callable[[random.Random, int], dict[str, Any]]] = {
    "trec": lambda dice, i: {"text": said(dice, 6) + "?", "coarse_label": ["ABBR", "ENTY", "DESC", "HUM"][i % 4],
                             "fine_label": f"f{i % 47}"},
    "news": lambda dice, i: {"Class Index": i % 4 + 1, "Title": said(dice, 5), "Description": said(dice, 15)},
    "boolq": boolq,
    "wic": lambda dice, i: {"word": dice.choice(WORDS), "sentence1": said(dice), "sentence2": said(dice), "start1": 3,
                            "end1": 5, "idx": i, "label": i % 2 == 1},
    "cb": lambda dice, i: {"premise": said(dice, 30), "hypothesis": said(dice, 6), "idx": i,
                           "label": ["contradiction", "entailment", "neutral"][i % 3]},
    "sick": lambda dice, i: {"pair_ID": i, "sentence_A": said(dice), "sentence_B": said(dice),
                             "relatedness_score": round(dice.randint(0, 40) / 10, 1)},
}
FOUND = {  # name -> (texts, label, labels as written)
    "trec": (("text",), "coarse_label", ("ABBR", "DESC", "ENTY", "HUM")),
    "news": (("Title", "Description"), "Class Index", ("1", "2", "3", "4")),
    "boolq": (("question", "title", "passage"), "answer", ("false", "true")),
    "wic": (("word", "sentence1", "sentence2"), "label", ("false", "true")),
    "cb": (("premise", "hypothesis"), "label", ("contradiction", "entailment", "neutral")),
    "sick": (("sentence_A", "sentence_B"), "relatedness_score", None),
}


def rows(name: str) -> tuple[Rows, Rows]:
    dice = random.Random(name)
    return [SCHEMAS[name](dice, i) for i in range(60)], [SCHEMAS[name](dice, i + 7) for i in range(40)]


def write(path: Path, of: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        Dataset.from_list(of).to_parquet(str(path))
    elif path.suffix == ".xlsx":
        book = Workbook()
        for row in [list(of[0]), *(list(row.values()) for row in of)]:
            book.worksheets[0].append(row)
        book.save(path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in of))
    else:
        with path.open("w", newline="") as file:
            one = csv.DictWriter(file, of[0], delimiter="," if path.suffix == ".csv" else "\t")
            one.writeheader()
            one.writerows(of)


def check(name: str, task: Task) -> None:
    texts, label, labels = FOUND[name]
    assert (task.columns, task.label_column, task.name) == (texts, label, name)
    if labels is None:
        assert task.numeric and task.metrics == ("pearson", "spearman") and float(task.labels[-1]) >= 4.0
    else:
        assert task.written_labels == labels
        assert task.metrics == (("accuracy", "macro_f1") if len(labels) > 2 else ("accuracy",))
    data = load_task(task, None)
    assert len(data.train) + len(data.dev) + data.overlap == 100
    assert read_text(written(task), task.files.folder if task.files else "") == task


@pytest.fixture(autouse=True)
def _quiet() -> None:
    datasets.disable_progress_bars()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", SCHEMAS)
def test_six_public_schemas_are_found_in_every_kind_of_file(tmp_path: Path, name: str, ending: str) -> None:
    for split, of in zip(("train", "validation_matched" if ending == "tsv" else "dev"), rows(name), strict=True):
        write(tmp_path / f"{split}.{ending}", of)
    guess = guess_folder(name, tmp_path)
    check(name, guess.task)
    assert all(sentence.endswith(".") and sentence.isprintable() for sentence in guess.said)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_single_file_is_split(tmp_path: Path, name: str) -> None:
    train, dev = rows(name)
    write(tmp_path / "rows.jsonl", train + dev)
    task = guess_folder(name, tmp_path).task
    check(name, task)
    assert 15 <= len(load_task(task, None).dev) <= 25
    assert any("has no dev split" in note for note in load_task(task, None).notes)


@pytest.mark.parametrize("splits", [("train", "validation"), ("train", "validation_matched"), ("train", "test"),
                                    ("a", "dev"), ("train",), ("dev", "test"), ()])
def test_what_save_to_disk_wrote_is_found_whatever_its_splits_are_called(tmp_path: Path, splits: tuple[str, ...]
                                                                         ) -> None:
    train, dev = rows("cb")
    if not splits:
        Dataset.from_list(train + dev).save_to_disk(str(tmp_path))
    else:
        parts = [train, dev] if len(splits) > 1 else [train + dev]
        DatasetDict({split: Dataset.from_list(of) for split, of in zip(splits, parts, strict=True)}).save_to_disk(
            str(tmp_path))
    task = guess_folder("cb", tmp_path).task
    check("cb", task)
    if len(splits) > 1:
        assert {len(load_task(task, None).train), len(load_task(task, None).dev)} == {60, 40}


@pytest.mark.parametrize("saved", [False, True])
def test_the_data_sets_own_names_of_labels_are_the_labels(tmp_path: Path, saved: bool) -> None:
    features = Features({"text": Value("string"), "topic": ClassLabel(names=["world", "sci/tech", "never"])})
    texts, topics = [f"some text {i}" for i in range(40)], [*(i % 2 for i in range(39)), -1]
    part = Dataset.from_dict({"text": texts, "topic": topics}, features)
    if saved:
        DatasetDict({"train": part}).save_to_disk(str(tmp_path))
    else:
        part.to_parquet(str(tmp_path / "train.parquet"))
    guess = guess_folder("topics", tmp_path)
    assert guess.task.written_labels == ("world", "sci/tech") and guess.counts == {"world": 20, "sci/tech": 19}
    data = load_task(guess.task, None)
    assert data.skipped == {"train": 1} and len(data.train) + len(data.dev) == 39


def test_labels_and_numbers_that_only_the_dev_rows_or_late_rows_have_count(tmp_path: Path) -> None:
    train = [{"text": f"some text {i}", "label": "ab"[i % 2]} for i in range(3000)]
    write(tmp_path / "x" / "train.csv", [*train, {"text": "late", "label": "c"}])
    write(tmp_path / "x" / "dev.csv", [{"text": f"dev {i}", "label": "abd"[i % 3]} for i in range(9)])
    task = guess_folder("x", tmp_path / "x").task
    assert task.labels == ("a", "b", "c", "d") and len(load_task(task, None).dev) == 9
    write(tmp_path / "y" / "train.csv", [{"text": f"some text {i}", "score": i % 7 / 2} for i in range(30)])
    write(tmp_path / "y" / "dev.csv", [{"text": f"dev {i}", "score": 4.5 + i % 2} for i in range(30)])
    task = guess_folder("y", tmp_path / "y").task
    assert task.numeric and float(task.labels[-1]) == 6.0 and len(load_task(task, None).dev) == 30


@pytest.mark.parametrize(("row", "texts", "label"), [
    (lambda dice, i: {"tweet_id": i, "airline_sentiment": "abc"[i % 3], "airline": "de"[i % 2], "text": said(dice),
                      "tweet_created": f"2015-02-24 11:35:{i:02} -0800"}, ("text",), "airline_sentiment"),
    (lambda dice, i: {"stars": i % 5 + 1, "review_body": said(dice), "product_category": "ab"[i % 2]},
     ("review_body",), "stars"),
    (lambda dice, i: {"premise": said(dice), "choice1": said(dice), "choice2": said(dice),
                      "question": ["cause", "effect"][i % 2], "idx": i, "label": i // 2 % 2},
     ("premise", "choice1", "choice2", "question"), "label"),
    (lambda dice, i: {"gold_label": ["-", "neutral", "entailment"][i % 3], "sentence1": said(dice),
                      "sentence1_parse": f"(ROOT (S {said(dice)}))", "sentence2": said(dice)},
     ("sentence1", "sentence2"), "gold_label"),
])
def test_further_public_schemas(tmp_path: Path, row: Callable[[random.Random, int], dict[str, Any]],
                                texts: tuple[str, ...], label: str) -> None:
    dice = random.Random(2)
    write(tmp_path / "all.csv", [row(dice, i) for i in range(60)])
    task = guess_folder("x", tmp_path).task
    assert (task.columns, task.label_column) == (texts, label)
    assert "-" not in task.labels and task.left_out == (("-",) if label == "gold_label" else ())
    assert len(load_task(task, None).train) > 20


@pytest.mark.parametrize(("names", "words"), [("no yes", ("no", "yes")), ("yes yes", ("0", "1")), ("no", ("0", "1"))])
def test_a_column_beside_the_label_names_its_numbers(tmp_path: Path, names: str, words: tuple[str, ...]) -> None:
    each = [*names.split(), ""][:2]
    write(tmp_path / "train-00000-of-00001.parquet",
          [{"text": f"some text {i}", "label": i % 2, "label_text": each[i % 2]} for i in range(40)])
    write(tmp_path / "test-00000-of-00001.parquet",
          [{"text": f"dev text {i}", "label": i % 2, "label_text": each[i % 2]} for i in range(20)])
    guess = guess_folder("x", tmp_path)
    assert guess.task.labels == words and len(load_task(guess.task, None).dev) == 20
    assert ("The labels are numbers" in " ".join(guess.said)) == (words == ("0", "1"))


@pytest.mark.parametrize(("values", "labels", "skipped"), [
    ([-1, 0, 1], ("-1", "0", "1"), 0), ([-1, 1], ("-1", "1"), 0), ([-2, -1, 2], ("-2", "-1", "2"), 0),
    ([-1, 0, 1, 2], ("0", "1", "2"), 15), ([-1, *(0, 1) * 15], ("0", "1"), 2), ([-1, "a", "b"], ("a", "b"), 20),
])
def test_minus_one_is_a_label_where_numbers_go_below_zero_and_what_it_is_taken_for_is_said(
        tmp_path: Path, values: list[object], labels: tuple[str, ...], skipped: int) -> None:
    write(tmp_path / "all.csv", [{"text": f"some text {i}", "label": values[i % len(values)]} for i in range(60)])
    guess = guess_folder("x", tmp_path)
    data = load_task(guess.task, None)
    assert guess.task.written_labels == labels and data.skipped == {"train": skipped}
    assert len(data.train) + len(data.dev) == 60 - skipped and sum(guess.counts.values()) == 60 - skipped
    taken = "a missing label. Write a word" if skipped else "a label like the others. Leave it out"
    assert any(one.startswith("'-1' (") and f"is taken for {taken}" in one for one in guess.said)


def test_minus_one_is_a_number_of_a_scale_that_has_it(tmp_path: Path) -> None:
    write(tmp_path / "all.csv", [{"text": f"some text {i}", "score": [-1, -0.5, 0, 1][i % 4]} for i in range(60)])
    task = guess_folder("x", tmp_path).task
    data = load_task(task, None)
    assert (task.labels[0], task.labels[-1]) == ("-1.0", "1.0") and len(data.train) + len(data.dev) == 60
    assert {row.value for row in data.train} == {-1.0, -0.5, 0.0, 1.0} and data.skipped == {"train": 0}


def test_test_rows_with_minus_one_make_it_no_label(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", [{"text": f"some text {i}", "label": i % 2} for i in range(40)])
    write(tmp_path / "test.csv", [{"text": f"test text {i}", "label": [-1, 0, 1][i % 3]} for i in range(30)])
    guess = guess_folder("x", tmp_path)
    assert guess.task.written_labels == ("0", "1") and load_task(guess.task, None).skipped == {"train": 0, "dev": 10}
    assert any("'-1' (10 rows) is taken for a missing label" in one for one in guess.said)


def test_labels_that_differ_in_capital_letters_alone_are_said(tmp_path: Path) -> None:
    write(tmp_path / "all.csv", [{"text": f"some text {i}", "label": ["yes", "Yes", "no"][i % 3]} for i in range(30)])
    assert any("'Yes' and 'yes' differ in capital letters alone and count as 2." in one
               for one in guess_folder("x", tmp_path).said)


@pytest.mark.parametrize(("label", "said"), [
    (lambda i: "only", "has 1 label in the rows looked at. Give rows with at least two"),
    (lambda i: f"L{i}", "has 400 different values in 400 rows, too many for labels (at most 200"),
    (lambda i: f"a label with many more words than labels have {i % 2}", "longer than the 40 characters"),
])
def test_why_a_column_called_label_is_none_is_said(tmp_path: Path, label: Callable[[int], str], said: str) -> None:
    write(tmp_path / "all.csv", [{"text": f"some text {i}", "label": label(i)} for i in range(400)])
    with pytest.raises(DataError, match="can be the label: 'label' has") as caught:
        guess_folder("x", tmp_path)
    assert said in str(caught.value)


def test_rows_in_a_sheet_that_is_not_read_are_pointed_at(tmp_path: Path) -> None:
    book = Workbook()
    for title, lines in {"about": (["note"], ["see the next sheet"]), "rows": (["text", "label"],)}.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
    del book["Sheet"]
    book.save(tmp_path / "book.xlsx")
    with pytest.raises(DataError, match=r"can be the label.*Only the first sheet of .* is read. It has others: 'rows'"):
        guess_folder("x", tmp_path)


def test_a_file_that_is_not_read_is_said(tmp_path: Path) -> None:
    for name in ("train", "dev", "more"):
        write(tmp_path / f"{name}.csv", [{"text": f"a b {i}", "label": "cd"[i % 2]} for i in range(9)])
    assert any(one.startswith("Not read: 'more.csv'.") for one in guess_folder("x", tmp_path).said)


@pytest.mark.parametrize(("files", "said"), [
    ({"a.csv": "text,label\n" + "".join(f"some text {i},spam\n" for i in range(40))},
     "'label' has 1 label in the rows looked at"),
    ({"train.txt": "text\tlabel\n"}, "Got none of these, but 'train.txt'. Give it the ending of what is in it."),
    ({}, "must have a train file or a single file"),
    ({"a.csv": "text,label\nx,1\n", "b.csv": "x"}, "Got 'a.csv', 'b.csv'."),
    ({"a.csv": "label\n1\n0\n"}, "can be the text of task"), ({"a.csv": "text\nx y\nz w\n"}, "No column of"),
    ({"a.csv": "text,label\nx y,1\nz w,1\n"}, "No column of"), ({"a.csv": "text,label\n"}, "has no rows"),
    ({"a.csv": "text,label\na b,²\nc d,١\n", "x.txt": ""}, ""), ({"a.parquet": "no"}, "cannot be read as parquet"),
    ({"a.csv": "text,label\na b," + "9" * 400 + "\nc d,1\n"}, "No column of"),
])
def test_what_cannot_be_guessed_is_a_sentence(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    if not said:
        assert guess_folder("x", tmp_path).task.labels == ("²", "١")
        return
    with pytest.raises(ComptError) as caught:
        guess_folder("x", tmp_path)
    assert said in str(caught.value) and str(caught.value).isprintable()


def test_a_folder_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_text("text,label\nx,1\n")
    for folder in (tmp_path / "no", tmp_path / "file.csv", tmp_path / "a\0b", tmp_path / ("x" * 300)):
        with pytest.raises(DataError, match=r"The folder '.*' cannot be read: .*\. Give a folder"):
            guess_folder("x", folder)
    with pytest.raises(DataError, match="The name of a task must have"):
        guess_folder("X/..", tmp_path)
