"""Files without a row of names: found, named by number, read the same way again; files with one stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from compt_core.errors import ComptError
from compt_core.tasks.definition import read_text, written
from compt_core.tasks.files import load_task
from compt_core.tasks.headers import looks_like_a_row
from compt_core.tasks.own import guess_folder
from compt_core.tasks.readers import read_file

Lines = list[list[Any]]


def write(path: Path, lines: Lines) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".xlsx":
        book = Workbook()
        sheet: Any = book.active
        for line in lines:
            sheet.append(line)
        book.save(path)
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        path.write_text("".join(mark.join(map(str, line)) + "\n" for line in lines))


def labelled(count: int, start: int = 0) -> Lines:
    return [["np"[i % 2], f"some text {start + i}"] for i in range(count)]


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx"])
@pytest.mark.parametrize("dev", [False, True])
def test_a_file_without_names_is_a_task_with_all_its_rows(tmp_path: Path, ending: str, dev: bool) -> None:
    write(tmp_path / f"train.{ending}", labelled(20))
    if dev:
        write(tmp_path / f"dev.{ending}", labelled(3, start=100))
    task = guess_folder("x", tmp_path).task
    assert (task.columns, task.fields, task.label_column) == (("column 2",), ("sentence",), "column 1")
    assert task.written_labels == ("n", "p")
    data = load_task(task, None)
    texts = [row.texts[0] for row in (*data.train, *data.dev)]
    assert len(texts) == (23 if dev else 20) and "some text 0" in texts and ("some text 100" in texts) == dev
    said = [note for note in data.notes if "no names of columns" in note]
    assert len(said) == 1 + dev and f"train.{ending}' has no names of columns in its first" in said[0]
    assert load_task(read_text(written(task), str(tmp_path)), None).digest == data.digest


@pytest.mark.parametrize(("lines", "row"), [
    ("1\tgood film|0\tbad film|1\tfine film", True), ("good film\tyes|bad film\tno|fine film\tyes", True),
    ("DESC\tmanner\tHow did it go ?|DESC\tmanner\tWhy ?|HUM\tind\tWho is it ?", True),
    ("17\tsome words here\tpos|23\tother words here\tneg|40\tmore words here\tnew", True),  # numbered rows
    ("question\tWhere is it ?|other\tIt is here .|question\tWho ?|other\tNobody .", True),  # a word that names columns
    ("\tgood film|1\tbad film|0\tfine film", False),
    ("label\ttext|1\tgood film|0\tbad film", False), ("text\tlabel|good film\tlabel|bad film\ttext", False),
    ("0\t1|good film\t1|bad film\t0|fine film\t1", False),  # names that pandas gives
    ("text\t1\t2|good film\t1\t0|bad film\t0\t1|fine film\t1\t0", False),  # a column for each label
    ("year\tverdict|1999\tgood|1998\tbad", False), ("review_body\tgood|nice\tgood|bad\tno", False),
    ("label\ttext|n\tsome|label\ttext|p\tother", False),  # names that stand there again
    ("What do you think of it ?\tWould you buy it again soon ?|I like it .\tyes|I do not .\tno", False),
    ("a b c d e f\tg h i j k l|b b c d e f\tx h i j k l|c b c d e f\ty h i j k l", True),
    ("utterance\tkind|good film\ta|bad film\tb", False), ("x|y|z", False),
])
def test_a_first_row_is_told_from_names(lines: str, row: bool) -> None:
    first, *rows = [line.split("\t") for line in lines.split("|")]
    assert looks_like_a_row(first, list(zip(*rows, strict=True))) == row


def test_a_definition_decides_how_a_file_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", labelled(6))
    assert list(read_file(tmp_path / "a.csv", ("some text 0", "n")).columns) == ["n", "some text 0"]
    write(tmp_path / "b.csv", [["label", "text"], *labelled(6)])
    assert list(read_file(tmp_path / "b.csv").columns) == ["label", "text"]
    table = read_file(tmp_path / "b.csv", ("column 2", "column 1"))
    assert list(table.columns["column 1"]) == ["label", "n", "p", "n", "p", "n", "p"] and table.line(0) == "line 1"
    write(tmp_path / "c.csv", [["column 1", "column 2"], *labelled(6)])
    assert len(read_file(tmp_path / "c.csv", ("column 2", "column 1")).columns["column 1"]) == 6
    write(tmp_path / "d.csv", [["", "x", "", "y"], *([*one, "", ""] for one in labelled(6))])  # names that are empty
    assert len(read_file(tmp_path / "d.csv", ("column 1", "x")).columns["column 1"]) == 6


def test_two_texts_are_numbered_and_numbers_of_rows_are_no_label(tmp_path: Path) -> None:
    write(tmp_path / "all.tsv", [["same", "same", "no", 1]] + [[f"one text {i}", f"other {i}", ["yes", "no"][i % 2], i]
                                                                for i in range(2, 9)])
    task = guess_folder("x", tmp_path).task
    assert (task.columns, task.label_column) == (("column 1", "column 2"), "column 3")
    assert task.fields == ("sentence1", "sentence2") and len(load_task(task, None).train) > 4


LONG = "a text that goes on and on " * 20
NAMED, BARE = [["kind", "text"], ["p", LONG], ["n", "b c"], ["p", "d e"]], [["p", LONG], ["n", "b c"], ["p", "d e"]]


@pytest.mark.parametrize(("train", "dev", "said"), [
    (NAMED, BARE, "That looks like a row: write the names of the columns above it."),
    (BARE, NAMED, "begins with names of columns ('kind', 'text'), and '"),
    (NAMED, [["class", "words"], *NAMED[1:]], "has no column 'text' and no column 'kind'. It has: 'class', 'words'."),
    (BARE, [[one, f"{text} x"] for one, text in BARE], ""),
    ([[*row, "x y"] for row in BARE], [row[:1] for row in BARE],
     "has no column 'column 2' and no column 'column 3'. It has: 'column 1'."),
])
def test_files_that_do_not_go_together_are_one_short_sentence(tmp_path: Path, train: Lines, dev: Lines, said: str
                                                              ) -> None:
    write(tmp_path / "x" / "train.csv", train)
    write(tmp_path / "x" / "dev.csv", dev)
    if not said:
        assert load_task(guess_folder("x", tmp_path / "x").task, None).dev
        return
    with pytest.raises(ComptError) as caught:
        load_task(guess_folder("x", tmp_path / "x").task, None)
    assert said in str(caught.value) and str(caught.value).isprintable()
    assert len(str(caught.value).replace(str(tmp_path), "")) < 300


@pytest.mark.parametrize(("lines", "label"), [
    ("review,verdict|nice film,yes|bad film,no|good film,yes", "verdict"),
    ("verdict,review|yes,nice film|no,bad film", "verdict"),
    ("verdict,review|yes,a very nice film|no,a bad film|maybe,one to see", "verdict"),
    ("good,nice|bad,awful|good,great", "column 1"),
])
def test_in_a_tiny_file_a_text_is_no_label(tmp_path: Path, lines: str, label: str) -> None:
    (tmp_path / "all.csv").write_text(lines.replace("|", "\n") + "\n")
    task = guess_folder("x", tmp_path).task
    assert task.label_column == label and len(task.columns) == 1


def test_a_name_that_may_be_a_text_is_said(tmp_path: Path) -> None:
    write(tmp_path / "all.csv", [["rare", "some words that say it all"], *labelled(20)])
    assert any("'some words that say it all' looks like a text. Add a line with names" in one
               for one in guess_folder("x", tmp_path).said)


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_commas_in_the_first_text_do_not_separate_cells(tmp_path: Path, mark: str) -> None:
    lines = ["pos|I liked it, really", "neg|I hated it", "pos|Nice, good, fine", "neg|Bad"]
    (tmp_path / "all.csv").write_text("".join(line.replace("|", mark) + "\n" for line in lines))
    assert read_file(tmp_path / "all.csv").columns["column 2"][0] == "I liked it, really"
