"""Settings files and typed values: what they mean, what is wrong with them; and the words of messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compt_core.errors import ConfigError, nearest, quoted
from compt_core.values import parse_value, read_yaml


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
    (b"a: !!python/object/apply:os.system [ls]\n", "is not valid YAML: line 1"),
    (b"x: 2024-13-45\n", "is not valid YAML: month must be in 1..12."),
    (b"[" * 5000, "is not valid YAML: it is nested too deeply."),
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
                       (tmp_path / ("n" * 300), "File name too long"), (tmp_path / "a\0b", "null")):
        with pytest.raises(ConfigError, match=says):
            read_yaml(path)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("shots: 8\n", encoding="utf-8-sig")
    assert read_yaml(tmp_path / "s.yaml") == {"shots": 8}


@pytest.mark.parametrize(("text", "value"), [
    ("8", 8), ("0.5", 0.5), ("", None), ("null", None), ("[1, 2]", [1, 2]), ("a,b", "a,b"), ("x: [", "x: ["),
    ("2024-13-45", "2024-13-45"), ("9" * 5000, "9" * 5000), ("[" * 5000, "[" * 5000), ("none", "none"),
])
def test_typed_values(text: str, value: Any) -> None:
    assert parse_value(text) == value


# --- words of messages


def test_nearest_ignores_case_and_far_words() -> None:
    assert nearest("MRPC", ["mrpc", "rte"]) == " Did you mean 'mrpc'?"
    assert nearest("zebra", ["mrpc", "rte"]) == ""
    assert nearest("m" * 10_000, ["mrpc"]) == ""


def test_quoted_is_one_short_line() -> None:
    assert quoted("a\nb\x1b[31m") == r"'a\nb\x1b[31m'"
    assert quoted("x" * 100, 10) == "'xxxxxxx…'"
    assert len(quoted(list(range(1000)))) == 80
