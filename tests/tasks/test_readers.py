"""Tables from files: a cell is what stands there, and what is wrong is named with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from compt_core.errors import DataError
from compt_core.tasks.readers import read_file

WORDS = ["NA", "null", "None", "nan", "", "007", "1e5", " spaced ", "TRUE", '"quoted" start', "it's", "1,5", "#x"]


def read(tmp_path: Path, name: str, content: str | bytes) -> dict[str, list[object]]:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return {name: list(column) for name, column in read_file(file).columns.items()}


def problem(tmp_path: Path, name: str, content: str | bytes) -> str:
    with pytest.raises(DataError) as caught:
        read(tmp_path, name, content)
    message = str(caught.value)
    assert message.isprintable()
    assert f"'{tmp_path / name}'" in message
    assert len(message) < 400 + len(str(tmp_path))
    return message


# --- what is read


def test_tsv_cells_are_text_as_it_stands(tmp_path: Path) -> None:
    lines = [f"{word}\t{i}" for i, word in enumerate(WORDS)]
    assert read(tmp_path, "a.tsv", "text\tlabel\n" + "\n".join(lines) + "\n") == {
        "text": WORDS, "label": [str(i) for i in range(len(WORDS))]}


def test_csv_cells_are_text_as_it_stands(tmp_path: Path) -> None:
    cells = [*WORDS, "two\nlines", "a, b", "tab\there"]
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    lines = "\n".join(f"{cell},{i}" for i, cell in enumerate(quoted))
    assert read(tmp_path, "a.csv", f"text,label\n{lines}")["text"] == cells


def test_jsonl_cells_keep_their_types(tmp_path: Path) -> None:
    rows = [{"text": word, "label": i} for i, word in enumerate(WORDS)] + [{"text": 5, "label": None}, {"label": True}]
    assert read(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))) == {
        "text": [*WORDS, 5, None], "label": [*range(len(WORDS)), None, True]}


def test_parquet_cells_keep_their_types(tmp_path: Path) -> None:
    columns = {"text": [*WORDS, None], "label": [*map(float, range(len(WORDS))), None]}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert dict(read_file(tmp_path / "a.parquet").columns) == columns


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl"])
def test_marks_and_line_ends_of_windows_are_no_text(tmp_path: Path, name: str) -> None:
    tab = "," if name == "a.csv" else "\t"
    rows = ['{"text": "a", "label": "1"}', '{"text": "b", "label": "0"}'] if name == "a.jsonl" else [
        f"text{tab}label", f"a{tab}1", f"b{tab}0"]
    assert read(tmp_path, name, "\ufeff" + "\r\n".join(rows) + "\r\n") == {"text": ["a", "b"], "label": ["1", "0"]}


def test_separators_of_unicode_do_not_end_a_tsv_line(tmp_path: Path) -> None:
    text = "a\u2028b\x0bc\x85d\u00a0e"
    assert read(tmp_path, "a.tsv", f"text\tlabel\n{text}\t1\n")["text"] == [text]


@pytest.mark.parametrize(("name", "content"), [
    ("a.tsv", "text\n\na\n\n\nb\n\n"), ("a.csv", "text\n\na\n\n\nb\n\n"),
    ("a.jsonl", '\n{"text": "a"}\n\n\n\n{"text": "b"}\n'),
])
def test_empty_lines_are_no_rows_but_count(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    table = read_file(tmp_path / name)
    assert list(table.columns["text"]) == ["a", "b"]
    assert [table.at(row) for row in (0, 1)] == [f"'{tmp_path / name}', line {line}" for line in
                                                 ((2, 6) if name == "a.jsonl" else (3, 6))]


# --- what is wrong


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl", "a.parquet"])
def test_a_file_of_no_bytes_is_empty(tmp_path: Path, name: str) -> None:
    assert "is empty. Give a header row and at least one row below it." in problem(tmp_path, name, "")


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl"])
@pytest.mark.parametrize("content", ["\ufeff", "\n\n", "  \r\n"])
def test_a_file_of_nothing_visible_is_empty(tmp_path: Path, name: str, content: str) -> None:
    assert "is empty." in problem(tmp_path, name, content)


@pytest.mark.parametrize(("name", "content"), [("a.tsv", "text\tlabel\n"), ("a.csv", "text,label")])
def test_a_header_alone_has_no_rows(tmp_path: Path, name: str, content: str) -> None:
    assert "has no rows. Give at least one row below the header." in problem(tmp_path, name, content)


def test_a_parquet_file_without_rows_has_no_rows(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="has no rows"):
        read_file(tmp_path / "a.parquet")


@pytest.mark.parametrize(("name", "content", "says"), [
    ("a.tsv", "text\tlabel\na\t1\nb\n", "line 3, must have 2 cells, as its header has. Got 1 instead."),
    ("a.tsv", "text\tlabel\na\tb\t1\n", "line 2, must have 2 cells, as its header has. Got 3 instead."),
    ("a.csv", "text,label\n\"a\nb\",1\nc,d,1\n", "line 4, must have 2 cells, as its header has. Got 3 instead."),
    ("a.csv", "text,label\na,1\n\"b\" c,1\n", "line 3, is not valid CSV: ',' expected after '\"'."),
    ("a.csv", "text,label\n\"a,1\nb,0\n", "is not valid CSV: unexpected end of data."),
    ("a.tsv", "text\ttext\tlabel\na\tb\t1\n", "has several columns called 'text'. Rename or remove one."),
    ("a.jsonl", '{"text": "a"}\n{"text": "b"\n', "line 2, is not valid JSON:"),
    ("a.jsonl", '["a", 1]\n', "line 1, must hold an object. Got ['a', 1] instead."),
    ("a.jsonl", '{"text": "a"}\n' + "[" * 20_000, "cannot be read as jsonl:"),
    ("a.tsv", b"text\tlabel\ncaf\xe9\t1\n", "is not text in UTF-8 (byte 14). Save it as UTF-8."),
    ("a.tsv", "text\tlabel\na\t1\n".encode("utf-16"), "is not text in UTF-8 (byte 0). Save it as UTF-8."),
    ("a.parquet", b"PAR1 and no more", "cannot be read as parquet:"),
])
def test_what_is_wrong_is_one_sentence(tmp_path: Path, name: str, content: str | bytes, says: str) -> None:
    assert says in problem(tmp_path, name, content)
