"""tokenizer.json: steps that are not known, out of bounds or without end are refused before any of them is taken."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compt_core.backbone.charsmap import longest_entry
from compt_core.backbone.files import read_tokenizer, unknown_words
from compt_core.backbone.load import find_backbone, load_backbone

Problem = Callable[[object], str]
Change = Callable[[dict[str, Any]], object]
GPT_4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")


def spoil(folder: Path, change: Change) -> None:
    file = folder / "tokenizer.json"
    about = json.loads(file.read_text())
    change(about)
    file.write_text(json.dumps(about))


def replace(content: str, **pattern: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def step(part: str, value: Any) -> Change:
    return lambda about: about.update({part: value})


def normalizer(*steps: dict[str, Any]) -> Change:
    return step("normalizer", {"type": "Sequence", "normalizers": list(steps)})


def split(regex: str) -> Change:
    return step("pre_tokenizer", {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated",
                                  "invert": False})


def model(**changes: Any) -> Change:
    return lambda about: about["model"].update(changes)


def charsmap(blob: bytes) -> Change:
    return step("normalizer", {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(blob).decode()})


def trie(text: bytes, *, unit: int = ord("a") | 1 << 8 | 1 << 10, value: int = 0) -> bytes:
    """A table in which "a" becomes `text`: the root asks for the units from 0 on, the unit of "a" is at 97."""
    units = [0] * 256
    units[ord("a")] = unit  # its label, "ends here", and where to go on: one further
    units[ord("a") ^ 1] = 1 << 31 | value
    return b"".join(one.to_bytes(4, "little") for one in (4 * len(units), *units)) + text + b"\0"


@pytest.mark.parametrize(("change", "says"), [
    (normalizer(*[replace("a" * 100, String="a")] * 4), "into up to 100,000,000 characters, more than 100."),
    (normalizer(replace("b" * 1000, Regex="a")), "into up to 1,000 characters"),
    (normalizer(replace("ab" * 10, String=""), replace("c" * 6, Regex="")), "into up to 120 characters"),
    (normalizer({"type": "Prepend", "prepend": "x" * 10**6}), "into up to 100,000 characters"),
    (normalizer({"type": "Sequence", "normalizers": [replace("a" * 11, String="a")] * 2}), "up to 121 characters"),
    (step("decoder", replace("a" * 10**5, String="a")), "into up to 100,000 characters"),
    (charsmap(trie(b"z" * 101)), "into up to 101 characters"),
    (charsmap(b""), "the table of its normalizer is cut off"),
    (charsmap(b"\xff" * 40), "the table of its normalizer is cut off"),
    (charsmap(trie(b"\xff")), "the table of its normalizer holds texts that are not UTF-8"),
    (charsmap(trie(b"z", value=3)), "the table of its normalizer points beyond its texts"),
    (charsmap(trie("ä".encode(), value=1)), "the table of its normalizer points beyond its texts"),
    (charsmap(trie(b"z", unit=ord("a") | 1 << 8 | 900 << 10)), "the table of its normalizer points beyond its end"),
    (charsmap(trie(b"z", unit=ord("a") | ord("a") << 10)), "the table of its normalizer has no end"),
    (step("normalizer", {"type": "Precompiled"}), "cannot be used: "),
    (split("(a+)+$"), "its pre_tokenizer has the pattern '(a+)+$', which may take for ever on a long text"),
    (split("(a|a)*$"), "which may take for ever"),
    (split(r"a*a*a*b"), "which may take for ever"),
    (split(r"(\w+)\1"), "which may take for ever"),
    (split(r"[a-z]{1,1000}[a-z]{1,1000}"), "which may take for ever"),
    (normalizer(replace("", Regex=r"(\s*)*x")), "its normalizer has the pattern"),
    (split("(a"), "cannot be used: Oniguruma error: end pattern with unmatched parenthesis"),
    (step("pre_tokenizer", {"type": "FixedLength", "length": 0}), "has a step 'FixedLength', which is not one of Bert"),
    (step("normalizer", {"type": "Evil"}), "its normalizer has a step 'Evil'"),
    (step("normalizer", [7]), "it has [7] where a step should be"),
    (step("normalizer", {"type": "Sequence", "normalizers": 7}), "it has 7 where a list of steps should be"),
    (step("model", {"type": "Table"}), "its model has a step 'Table'"),
    (step("model", None), "it does not describe a tokenizer"),
    (model(type="BPE", vocab={"<pad>": 0, "</s>": 1, "a": 2}, merges=[], dropout=0.5), "at random (dropout 0.5)"),
    (model(unk_id=None), "Encountered an unknown token but `unk_id` is missing"),
    (step("model", {"type": "WordLevel", "vocab": {"<pad>": 0, "</s>": 1}, "unk_token": "?"}), "Missing [UNK] token"),
    (model(unk_id=10**6), "cannot be used: Unable to load vocab"),
    (model(vocab=[]), "cannot be used: Unable to load vocab"),
])
def test_a_tokenizer_out_of_bounds_is_refused(copy: Path, change: Change, says: str, problem: Problem,
                                              capfd: pytest.CaptureFixture[str]) -> None:
    spoil(copy, change)
    message = problem(copy)
    assert message.startswith(f"The tokenizer.json of backbone '{copy}' cannot be used: ") and says in message
    assert capfd.readouterr().err == ""  # where the library that runs tokenizers writes when it panics


@pytest.mark.parametrize("change", [
    normalizer(replace(" ", Regex=" {2,}"), {"type": "Prepend", "prepend": "▁"}, replace("▁", String=" ")),
    normalizer({"type": "NFKC"}, {"type": "Lowercase"}, {"type": "StripAccents"}, replace("x" * 18, String="a")),
    charsmap(trie(b"z" * 100)),
    split(r"'s|'t| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"),
    split(GPT_4),
    step("pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}),
])
def test_what_tokenizers_do_is_taken(copy: Path, change: Change) -> None:
    spoil(copy, change)
    files = find_backbone(str(copy))
    unknown_words(files, ["a b", "aaa" * 100, "猫"])


def test_what_it_says_of_cutting_and_padding_is_for_other_uses(copy: Path) -> None:
    before = read_tokenizer(find_backbone(str(copy))).encode("the old river opens").ids
    spoil(copy, lambda about: about.update(
        truncation={"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 5},
        padding={"strategy": {"Fixed": 10**6}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                 "pad_type_id": 0, "pad_token": "<pad>"}))
    files = find_backbone(str(copy))
    assert read_tokenizer(files).encode("the old river opens").ids == before
    ids = load_backbone(files, "cpu").tokenizer(["the old river opens"], add_special_tokens=False)["input_ids"]
    assert [*ids[0], 1] == before


def test_ids_beyond_the_table_are_refused(copy: Path, problem: Problem) -> None:
    spoil(copy, step("model", {"type": "WordLevel", "vocab": {"<pad>": 0, "</s>": 1, "<unk>": 2, "a": 10**9},
                               "unk_token": "<unk>"}))
    assert "has pieces with ids up to 1000000000, but the model's vocabulary has 140." in problem(copy)


@pytest.mark.parametrize("named", ["a", {"content": "a"}])
def test_two_end_tokens_are_refused(copy: Path, named: object, problem: Problem) -> None:
    (copy / "tokenizer_config.json").write_text(json.dumps({"eos_token": named}))
    assert "must name the same end token. Got '</s>' (eos_token_id 1) and 'a'; set eos_token_id to" in problem(copy)


def test_a_file_that_is_no_tokenizer_is_refused(copy: Path, problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (b"", b"{}", b"[]", b"7", b"\xff", b'{"model": {"type": "BPE"', b'{"model": ' + b"[" * 10**5):
        (copy / "tokenizer.json").write_bytes(content)
        assert "cannot be used" in problem(copy)
    monkeypatch.setattr("compt_core.backbone.tokenizer.LARGEST_FILE", 3)
    (copy / "tokenizer.json").write_bytes(b"[" * 4)
    assert "it has 4 bytes, more than 3." in problem(copy)


def test_the_longest_entry_of_a_table() -> None:
    assert longest_entry(trie("äöü".encode())) == 3
