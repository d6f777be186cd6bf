"""Settings files and typed values: what they mean, what is wrong with them; and the words of messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compt_core.errors import ConfigError, nearest, quoted
from compt_core.settings import plain
from compt_core.settings.values import MAX_RANGE, Refused, as_list, as_text, as_words, parse_value, read_yaml

BOMB = ", ".join(["&a0 [x, x, x, x]", *(f"&a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9))])


@pytest.mark.parametrize(("content", "says"), [
    (b"", "Got nothing instead."),
    (b"# only a comment\n", "Got nothing instead."),
    (b"- tasks\n- shots\n", "must hold lines of the form 'name: value'. Got a list instead."),
    (b"just words", "Got a str instead."),
    (b"3: 4\n", "must name each setting by a word. Got 3 instead."),
    (b"shots: 8\nshots: 16\n", "must name each setting once. Got 'shots' twice."),
    (b"shots: [8\nseeds: 3\n", "is not valid YAML: line 2, column 6:"),
    (b"\tshots: 8\n", "is not valid YAML: line 1"),
    (bytes(range(256)), "is not text in UTF-8."),
    (b"\x00\x01\x02\x03", "is not valid YAML:"),
    (b"a: !!python/object/apply:os.system [ls]\n", "must hold no tags. Got '!!python/object/apply:os.system'. See li"),
    (b"steps: !!bool x\n", "must hold no tags. Got '!!bool'. See line 1, column 8."),
    (b"steps: ! 5\n", "must hold no tags. Got '!'."),
    (b"%TAG !e! tag:x.org:\n---\na: !e!b 1\n", "must hold no tags."),
    (b"a: &b 1\n", "must hold no anchors and no aliases. Got '&b'."),
    (b"a: *b\n", "must hold no anchors and no aliases. Got '*b'."),
    (f"attention: [{BOMB}]\n".encode(), "must hold no anchors and no aliases. Got '&a0'."),
    (b"a: " + b"[" * 5000, "must nest lists and mappings at most 10 deep. Got more. See line 1, column 13."),
    (b"a: " + b"{b: " * 5000, "must nest lists and mappings at most 10 deep."),
    (b"a:\n" + b"".join(b" " * i + b"- \n" for i in range(1, 20)), "must nest lists and mappings at most 10 deep."),
    (b"a: [" + b"1," * 30_000, "must hold at most 10,000 values. Got more."),
    (b"a: " + b"1" * 300_000, "must have at most 200,000 characters. Got more."),
    ("é".encode() * 110_000, "must have at most 200,000 characters. Got more."),
    (b"method_settings: {pt: {steps: 1, batch: 2, steps: 1}}", "must name each setting once. Got 'steps' twice."),
    (b"a: {b: [{c: 1, 'c': 2}]}", "must name each setting once. Got 'c' twice."),
    (b"a: {null: 1}", "must name each setting by a word. Got null instead."),
    (b"a: {[b]: 1}", "must name each setting by a word. Got a list or a mapping instead."),
    (b"? \n: 1\n", "must name each setting by a word. Got nothing instead."),
    (b'a: "x\\ud800"\n', r"must hold whole characters only. Got 'x\ud800'. See line 1, column 4."),
    (b'a: {"\\udfff": 1}\n', r"must hold whole characters only. Got '\udfff'."),
    (b"a: 1\n---\na: 2\n", "must hold one document. Got a second one. See line 2"),
])
def test_a_bad_settings_file_is_one_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(file)
    assert says in str(caught.value)
    assert f"'{file}'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_settings_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "no.yaml", "No such file"), (tmp_path, "Is a directory"),
                       (tmp_path / ("n" * 300), "File name too long"), (tmp_path / "a\0b", "null"),
                       (Path("/dev/zero"), "must have at most 200,000 characters")):
        with pytest.raises(ConfigError, match=says):
            read_yaml(path)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("shots: 8\n", encoding="utf-8-sig")
    assert read_yaml(tmp_path / "s.yaml") == {"shots": 8}


@pytest.mark.parametrize(("text", "value"), [
    ("8", 8), ("0.5", 0.5), ("", None), ("null", None), ("[1, 2]", [1, 2]), ("a,b", "a,b"), ("x: [", "x: ["),
    ("010", 10), ("-07", -7), ("+5", 5), (" 5 ", 5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("1.5E-3", 0.0015),
    ("true", True), ("False", False), ("~", None), ("0", 0), ("0e5", 0.0), ("-0.0", 0.0),
    *((word, word) for word in (  # numbers, dates and truth values of other rules
        "0x10", "0o10", "0b1", "1_000", "1:30", "190:20:30", "2024-13-45", "2024-01-02", "yes", "No", "on", "OFF", "y",
        "none", "nan", ".nan", ".inf", "-.Inf", "inf", "1e999", "-1e999", "1e-999", ".0e", "1.2.3", "1e", "--5", "٣",
        "²", "５", "1 000", "0,5", "9" * 101, "9" * 5000, "0." + "1" * 200, "# 5", "<<", "=", "\ud800", "a\x00")),
    ("'5'", "5"), ('"yes"', "yes"), ("5 # five", 5), ("<<: 1", {"<<": 1}), ("[010, 1_0, on]", [10, "1_0", "on"]),
])
def test_typed_values(text: str, value: Any) -> None:
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


@pytest.mark.parametrize("text", [
    "!!bool x", "!!timestamp x", "!!int x", "!!python/object:os.x {}", "!x y", "&a [*a]", f"[{BOMB}]", "[" * 5000,
    "{pt: {steps: 1, steps: 2}}", "{1: 2}", "1\n---\n2", "x" * 200_001,
])
def test_what_is_no_plain_value_is_kept_as_typed_and_says_why(text: str) -> None:
    found = parse_value(text)
    assert isinstance(found, Refused) and found == text and found.must


@pytest.mark.parametrize("name", sorted(plain.TEXT))
def test_what_is_text_stays_as_typed_also_where_it_is_all_digits(name: str) -> None:
    assert plain.read(f"{name}: 007\nsteps: 007\n") == {name: "007", "steps": 7}
    assert plain.read(f"{name}: [1e3, ~]") == {name: ["1e3", None]}


# --- lists of numbers


@pytest.mark.parametrize(("text", "numbers"), [
    ("0-9", list(range(10))), ("00-02", [0, 1, 2]), ("1,2, 5-6,", [1, 2, 5, 6]), ("010", [10]), ("", []),
    *((word, [word]) for word in ("٣", "1-²", "²", "1_0", "0x10", "-1", "9-0", "1-2-3", "+1", "1e1", "5.0", "1 2",
                                  "9" * 5000)),
])
def test_lists_of_numbers_are_decimal_and_as_typed(text: str, numbers: list[Any]) -> None:
    assert as_list(text) == numbers


@pytest.mark.parametrize("text", [f"0-{MAX_RANGE + 1}", "0-99999," * 200, "0-" + "9" * 90])
def test_a_list_without_end_is_not_written_out(text: str) -> None:
    with pytest.raises(ValueError, match="more numbers"):
        as_list(text)


def test_words_are_no_numbers() -> None:
    assert as_words("a, 010,,0-3 ") == ["a", "010", "0-3"]
    assert [as_words(value) for value in (3, None, ["a"], {})] == [3, None, ["a"], {}]


@given(st.lists(st.integers(0, 30) | st.integers(0, 2**32 - 1)))
def test_a_list_as_text_reads_back(numbers: list[int]) -> None:
    assert as_list(as_text(numbers)) == as_list(as_text(numbers, ", ")) == numbers


@pytest.mark.parametrize(("numbers", "text"), [
    (range(500), "0-499"), ((0, 1, 2, 7, 9, 8), "0-2,7,9,8"), ((4, 5), "4,5"), ((), ""), ((3, 2, 1), "3,2,1"),
    (("a", "b"), "a,b"), (([1, 0], [0, 1]), "[1, 0],[0, 1]"), ((-1, 0, 1), "-1,0,1"), ((-1, 0, 1, 2), "-1,0-2"),
])
def test_numbers_in_a_row_are_a_range(numbers: Any, text: str) -> None:
    assert as_text(tuple(numbers)) == text


# --- words of messages


def test_nearest_ignores_case_and_far_words() -> None:
    assert nearest("MRPC", ["mrpc", "rte"]) == " Did you mean 'mrpc'?"
    assert nearest("zebra", ["mrpc", "rte"]) == ""
    assert nearest("m" * 10_000, ["mrpc"]) == ""


def test_quoted_is_one_short_line() -> None:
    assert quoted("a\nb\x1b[31m") == r"'a\nb\x1b[31m'"
    assert quoted("x" * 100, 10) == "'xxxxxxx…'"
    assert len(quoted(list(range(1000)))) == 80
