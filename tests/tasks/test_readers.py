"""Tables from files: a cell is what stands there, and what is wrong is named with file and line."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from compt_core.errors import DataError
from compt_core.tasks import readers
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
    assert len(message) < 400 + message.count(str(tmp_path)) * len(str(tmp_path))
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


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl"])
def test_line_ends_of_old_macs_end_lines_too(tmp_path: Path, name: str) -> None:
    tab = "," if name == "a.csv" else "\t"
    rows = ['{"text": "a", "label": "1"}', '{"text": "b", "label": "0"}'] if name == "a.jsonl" else [
        f"text{tab}label", f"a{tab}1", f"b{tab}0"]
    assert read(tmp_path, name, "\r".join(rows) + "\r") == {"text": ["a", "b"], "label": ["1", "0"]}
    assert read_file(tmp_path / name).at(1).endswith(", line 2" if name == "a.jsonl" else ", line 3")


def test_a_long_csv_cell_is_read_and_a_longer_one_named(tmp_path: Path) -> None:
    assert len(read(tmp_path, "a.csv", "text\n" + "w " * 100_000)["text"][0]) == 200_000  # csv's own limit: 131,072
    csv.field_size_limit(1000)
    try:
        assert "line 2, is not valid CSV: a cell has more than 10,000,000 characters." in problem(
            tmp_path, "a.csv", "text\n" + "w" * 1001)
    finally:
        csv.field_size_limit(readers.MOST_TEXT)


def test_rows_over_several_lines_are_noted_and_begin_where_they_begin(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,label\nx,1\n"a\nb\nc",1\n\n"d\ne",0\n')
    table = read_file(tmp_path / "a.csv")
    assert [table.line(row) for row in range(3)] == ["line 2", "line 3", "line 7"]
    assert table.notes == (f"2 rows of '{tmp_path}/a.csv' have line ends in quoted cells: the first begins in line "
                           "3, and the longest has 3 lines.",)


def test_a_line_of_json_has_an_upper_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MOST_LINE", 20)
    assert read(tmp_path, "a.jsonl", '{"text": "12345678"}') == {"text": ["12345678"]}
    assert "line 1, has 21 characters, more than 20. Cut its texts." in problem(
        tmp_path, "a.jsonl", '{"text": "123456789"}')


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_CELLS"])
@pytest.mark.parametrize(("name", "content"), [("a.tsv", "text\tb\nx\ty\n"), ("a.csv", "text,b\nx,y\n")])
def test_a_table_has_an_upper_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str, limit: str
                                   ) -> None:
    monkeypatch.setattr(readers, limit, 1)
    assert "more than 1. Keep the rows and columns that the task needs." in problem(tmp_path, name, content)


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
    ("a.tsv", "text\tlabel\na\t1\nb\n", "line 3, must have 2 cells, as its first line has. Got 1 instead."),
    ("a.tsv", "text\tlabel\na\tb\t1\n", "line 2, must have 2 cells, as its first line has. Got 3 instead."),
    ("a.csv", "text,label\n\"a\nb\",1\nc,d,1\n", "line 4, must have 2 cells, as its first line has. Got 3 instead."),
    ("a.csv", "text,label\na,1\n\"b\" c,1\n", "line 3, is not valid CSV: ',' expected after '\"'."),
    ("a.csv", "text,label\nc,0\n\"a,1\n" + "b,0\n" * 9, "line 3, is not valid CSV: a cell is opened with a quote"),
    ("a.csv", "text,label\n\"a,1\nb,0\n\"c\",0\n", "line 2, is not valid CSV: ',' expected after '\"' in line 4."),
    ("a.tsv", "text\ttext\tlabel\na\tb\t1\n", "has several columns called 'text'. Rename or remove one."),
    ("a.jsonl", '{"text": "a"}\n{"text": "b"\n', "line 2, is not valid JSON:"),
    ("a.jsonl", '["a", 1]\n', "line 1, must hold an object. Got ['a', 1] instead."),
    ("a.jsonl", '{"text": "a"}\n' + "[" * 20_000, "line 2, has a JSON value that is too long or too deep."),
    ("a.jsonl", '{"text": ' + "1" * 5000 + "}", "line 1, has a JSON value that is too long or too deep."),
    ("a.jsonl", '{"text": "a", "b": 1, "text": "c"}', "line 1, has the name 'text' more than once. Keep one of them."),
    ("a.jsonl", '{"a": {"\\ud800": 1, "\\ud800": 2}}', r"line 1, has the name '\ud800' more than once."),
    ("a.tsv", b"text\tlabel\ncaf\xe9\0\t1\n", "is not text in UTF-8 or any other encoding that can be recognised."),
    ("a.xlsx", b"PK and no more", "cannot be read as xlsx: File is not a zip file."),
    ("a.parquet", b"PAR1 and no more", "cannot be read as parquet:"),
])
def test_what_is_wrong_is_one_sentence(tmp_path: Path, name: str, content: str | bytes, says: str) -> None:
    assert says in problem(tmp_path, name, content)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl"])
def test_another_encoding_is_read_and_named(tmp_path: Path, name: str, encoding: str) -> None:
    text = '{"text": "日本"}\n' if name == "a.jsonl" else "text\n日本\n"
    assert read(tmp_path, name, text.encode(encoding)) == {"text": ["日本"]}
    note, = read_file(tmp_path / name).notes
    assert f"'{tmp_path / name}' is not UTF-8. It is read as {encoding.upper()[:6]}" in note


@pytest.mark.parametrize("text", ["café crème à volonté, dit le garçon", "Die Mädchen trinken süße Brühe über Köln",
                                  "“Quoted” – it’s a dash… and €5"])
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_west_european_letters_come_out_right(tmp_path: Path, text: str, encoding: str) -> None:
    rows = f"text\tlabel\n{text}\t1\n".encode(encoding, "ignore")
    kept = text.encode(encoding, "ignore").decode(encoding)
    assert read(tmp_path, "a.tsv", rows)["text"] == [kept]
    assert len(read_file(tmp_path / "a.tsv").notes) == (not kept.isascii())


LINES = {  # of a few rows, since an encoding is recognised by the letters of them all
    "french": ("cp1252", "Le garçon a mangé à la fête près de l'hôtel, où il était très fatigué. Ça me plaît."),
    "portuguese": ("cp1252", "Não há opções à venda, são ótimas. A ação não é boa, coração."),
    "italian": ("cp1252", "È così perché la città è più bella. Non è andato là però."),
    "swedish": ("cp1252", "Det är på gården, å så fint. Öl och smörgås."),
    "english": ("cp1252", "Costs 5€ or £4 for the film. I do not like it."),
    "polish": ("cp1250", "Zażółć gęślą jaźń, to jest bardzo dobre. Nie podoba mi się ta książka, była zła i długa."),
    "czech": ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy. Ten film byl špatný a příliš dlouhý."),
    "hungarian": ("cp1250", "Ez a film nagyon jó volt, tetszett nekem a szereplő. Unalmas és hosszú volt, fűszeres."),
    "turkish": ("cp1254", "Bu film çok güzeldi, şarkılar ve ışık çok iyiydi. Hiç beğenmedim, çok sıkıcı ve uzun."),
    "russian": ("cp1251", "Очень хороший фильм, мне понравилось. Плохой и длинный фильм."),
}


@pytest.mark.parametrize("language", LINES)
def test_letters_of_a_language_come_out_right(tmp_path: Path, language: str) -> None:
    encoding, line = LINES[language]
    rows = "text\n" + f"{line}\n" * 40
    assert set(read(tmp_path, "a.tsv", rows.encode(encoding))["text"]) == {line}


def test_an_encoding_is_recognised_by_whole_lines_of_a_long_file(tmp_path: Path) -> None:
    line = "東京の大学で日本語を勉強しています。" * 3
    rows = "text\n" + f"{line}\n" * 4000
    assert len(rows.encode("shift_jis")) > 200_000
    assert set(read(tmp_path, "a.csv", rows.encode("shift_jis"))["text"]) == {line}


def test_several_columns_without_a_name_are_numbered(tmp_path: Path) -> None:
    found = read(tmp_path, "spam.csv", "v1,v2,,,\nham,hello,,,\nspam,win,a,,\n")
    assert list(found) == ["v1", "v2", "column 3", "column 4", "column 5"] and found["column 3"] == ["", "a"]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_csv_file_may_have_another_separator(tmp_path: Path, mark: str) -> None:
    assert read(tmp_path, "a.csv", f'text{mark}label\n"a, b{mark} c"{mark}1\n') == {
        "text": [f"a, b{mark} c"], "label": ["1"]}
    assert f"separated by {mark!r}." in read_file(tmp_path / "a.csv").notes[0]
    assert read(tmp_path, "b.csv", f"text{mark},label\na,1\n") == {f"text{mark}": ["a"], "label": ["1"]}


# --- xlsx


def sheet(tmp_path: Path, *rows: list[object], more: str = "") -> Path:
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(row)
    if more:
        book.create_sheet(more)
    book.save(tmp_path / "a.xlsx")
    return tmp_path / "a.xlsx"


def test_a_sheet_is_text_with_the_rows_that_a_person_sees(tmp_path: Path) -> None:
    table = read_file(sheet(tmp_path, ["text", "label", "n", None], ["a", True, 1.0], [], ["b", None, 2.5, None],
                            ["NA", "False", 3], more="Notes"))
    assert {name: list(cells) for name, cells in table.columns.items()} == {
        "text": ["a", "b", "NA"], "label": ["true", "", "false"], "n": ["1", "2.5", "3"]}
    assert table.at(1) == f"'{tmp_path / 'a.xlsx'}', line 4"
    assert table.notes == (f"Only the first sheet of '{tmp_path / 'a.xlsx'}' is read. It has others: 'Notes'.",)


def test_what_is_wrong_with_a_sheet_is_one_sentence(tmp_path: Path) -> None:
    for rows, said in (([["a", "b"], ["x", "y", "z"]],
                        "row 2, must have 2 cells, as its first row has. Got 3 instead."),
                       ([["a", "a"], ["x", "y"]], "several columns called 'a'"), ([], "is empty."),
                       ([["a", "b"]], "has no rows.")):
        with pytest.raises(DataError, match=re.escape(said)):
            read_file(sheet(tmp_path, *rows))


def test_a_sheet_has_an_upper_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MOST_CELLS", 5)
    with pytest.raises(DataError, match="has 6 cells, more than 5"):
        read_file(sheet(tmp_path, ["a", "b"], ["x", "y"], ["x", "y"]))


def test_a_sheet_that_would_unpack_to_far_more_than_it_is_is_not_unpacked(tmp_path: Path) -> None:
    path = sheet(tmp_path, ["text", "label"], ["x", "y"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/media/one.bin", b"\0" * 30_000_000)
    with pytest.raises(DataError, match="bytes when unpacked, more than"):
        read_file(path)


def test_a_row_with_a_giant_number_ends(tmp_path: Path) -> None:
    path, made = sheet(tmp_path, ["text", "label"], ["x", "y"]), io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(part.filename, old.read(part).replace(b'<row r="2"', b'<row r="9999999999"'))
    path.write_bytes(made.getvalue())
    with pytest.raises(DataError, match="rows, more than 1,048,576"):
        read_file(path)


@pytest.mark.parametrize(("name", "content", "said", "more"), [
    ("a.tsv", "a\tb\n" + "x\n" * 5, "line 4, must have 2 cells", "2 more lines of it are wrong."),
    ("a.csv", "a,b\n" + "x\n" * 4, "line 4, must have 2 cells", "1 more line of it is wrong."),
    ("a.jsonl", "{\n" * 3, "line 3, is not valid JSON: Expecting property name enclosed in double quotes", ""),
])
def test_wrong_lines_are_told_together(tmp_path: Path, name: str, content: str, said: str, more: str) -> None:
    message = problem(tmp_path, name, content)
    assert said in message and message.endswith(more) and message.count("The file") == 3


def test_a_parquet_file_that_lies_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.parquet"
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"])
    parquet.write_table(twice, file)
    with pytest.raises(DataError, match="has several columns called 'text'"):
        read_file(file)
    monkeypatch.setattr(readers, "MOST_CELLS", 5)
    parquet.write_table(pa.table({"text": ["a"] * 6, "more": range(6)}), file)
    with pytest.raises(DataError, match=r"has 6 cells, more than 5\. Keep the rows"):
        read_file(file, ["text"])
    parquet.write_table(pa.table({"text": ["a"] * 5, "more": range(5)}), file)
    assert len(read_file(file, ["text"]).columns["text"]) == 5, "columns that nobody needs do not count"


def test_a_column_that_nobody_needs_is_not_read(tmp_path: Path) -> None:
    odd = pa.array([2**62], pa.timestamp("ns", "Mars/Base"))
    parquet.write_table(pa.table({"text": ["a"], "when": odd}), tmp_path / "a.parquet")
    assert read_file(tmp_path / "a.parquet", ["text"]).columns == {"text": ["a"], "when": ()}
    with pytest.raises(DataError, match=r"The column 'when' in '.*' cannot be read: "):
        read_file(tmp_path / "a.parquet")


@pytest.mark.parametrize("text", [pa.string(), pa.large_string(), pa.string_view(),
                                  pa.dictionary(pa.int8(), pa.string())])
def test_broken_text_in_parquet_is_read_so_that_its_row_can_be_named(tmp_path: Path, text: pa.DataType) -> None:
    broken = pa.array([b"fine", b"h\xed\xa0\x80", None, b"fine"]).view(pa.string())
    column = broken.dictionary_encode() if pa.types.is_dictionary(text) else broken.cast(text)
    parquet.write_table(pa.table({"text": column, "bytes": [b"a", b"b", b"c", b"d"]}), tmp_path / "a.parquet")
    table = read_file(tmp_path / "a.parquet", ["text", "bytes"])
    assert list(table.columns["text"]) == ["fine", "h\udced\udca0\udc80", None, "fine"]
    assert list(table.columns["bytes"]) == [b"a", b"b", b"c", b"d"]
