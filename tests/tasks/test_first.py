"""The first tokens of long texts: what they are when all is tokenized, and found without doing so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compt_core.backbone.files import read_tokenizer
from compt_core.backbone.load import find_backbone
from compt_core.tasks.batches import encode_rows
from compt_core.tasks.first import GIANT, Encode, first_ids
from compt_core.tasks.spec import Row
from compt_core.tasks.table import TASKS

PARTS = ("the", "river", "opens", "don't", "zebra", "ﷺ", "猫", "é", "e\u0301", "’", ".", "?!", "</s>", "\u200b", "\x01",
         " ", "  ", "\n", "\t", "\u00a0", "\u3000", " .", "x" * 40, "ab" * 30, " " * 60)
TEXTS = st.lists(st.sampled_from(PARTS), max_size=120).map("".join) | st.text(max_size=40) | st.builds(
    lambda parts, times: "".join(parts) * times, st.lists(st.sampled_from(PARTS), max_size=9), st.integers(1, 60))


@pytest.fixture(scope="module", params=["demo", "tiny", "runs of spaces made one"])
def encode(request: pytest.FixtureRequest, tiny_t5: Any) -> Encode:
    """Tokenizers of the kinds there are: words, Unigram, and Unigram behind the normalisers of the real T5."""
    from tokenizers import Regex, Tokenizer, normalizers

    tokenizer = read_tokenizer(find_backbone("demo" if request.param == "demo" else str(tiny_t5)))
    if request.param == "runs of spaces made one":
        tokenizer = Tokenizer.from_str(tokenizer.to_str())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    return lambda texts: [one.ids for one in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


@settings(max_examples=150)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4), most=st.integers(1, 12))
def test_they_are_those_of_the_whole_text(encode: Encode, texts: list[str], most: int) -> None:
    assert first_ids(encode, texts, most) == [ids[:most] for ids in encode(texts)]


@pytest.mark.parametrize("text", [
    "the old river opens a quiet letter " * 4000, "\n".join(["the river"] * 10_000), "river" * 20_000,
    "猫" * 50_000, " " * 3000 + "the river " * 10_000, "x" * 100_000, ".,;" * 30_000,
])
def test_of_a_long_text_the_beginning_is_tokenized(backbone, text: str) -> None:
    seen = 0

    def counted(texts: list[str]) -> list[list[int]]:
        nonlocal seen
        seen += sum(map(len, texts))
        return backbone.tokenizer(texts, add_special_tokens=False)["input_ids"]

    found, = first_ids(counted, [text], 64)
    whole, = backbone.tokenizer([text], add_special_tokens=False)["input_ids"]
    assert found == whole[:64]
    assert seen < 25_000 or len(whole) < 100  # of which there are too few to cut at


def test_a_word_with_many_best_ways_is_read_to_a_bound() -> None:
    """Pairs from the end: an odd text begins with one letter, an even one with two, so endings never agree."""
    asked: list[int] = []

    def encode(texts: list[str]) -> list[list[int]]:
        asked.extend(map(len, texts))
        return [[1] * (len(text) % 2) + [2] * (len(text) // 2) for text in texts]

    assert first_ids(encode, ["a" * 10**6], 5) == [[2] * 5]
    assert max(asked) == GIANT * asked[0]


@pytest.mark.parametrize("max_tokens", [16, 40, 256])
def test_rows_are_encoded_as_from_whole_texts(
    backbone, monkeypatch: pytest.MonkeyPatch, max_tokens: int
) -> None:
    def whole(encode: Callable[..., Any], texts: list[str], most: int) -> list[list[int]]:
        return encode(texts) if texts else []

    long = ["river " * 5000, "the " * 4999 + "letter", "a quiet baker", "", "river" * 900]
    rows = [Row((one, two), 0, 0.0) for one in long for two in long]
    how: Any = {"prefix": "neutral", "position": "after_text", "max_tokens": max_tokens}
    found = encode_rows(backbone.tokenizer, TASKS["mrpc"], rows, **how)
    monkeypatch.setattr("compt_core.tasks.batches.first_ids", whole)
    assert found == encode_rows(backbone.tokenizer, TASKS["mrpc"], rows, **how)
