"""Rows as ids: the prompt stands where it should, cutting keeps what matters, no row is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compt_core.errors import ConfigError
from compt_core.tasks.batches import (
    EncodedRow,
    chunks,
    collate,
    encode_rows,
    frame,
    keep_lengths,
    label_ids,
    padded,
    room_for_text,
)
from compt_core.tasks.spec import Row
from compt_core.tasks.table import TASKS

POSITIONS = ("before_all", "after_prefix", "after_text")
PAIR = Row(("the old river opens", "a quiet baker"), 0, 0.0)
LONG = Row((" ".join(["river"] * 90), " ".join(["baker"] * 30)), 0, 0.0)


def encode(backbone, row: Row = PAIR, task: str = "mrpc", position: str = "after_prefix", prefix: str = "neutral",
           max_tokens: int = 128) -> EncodedRow:
    encoded, = encode_rows(backbone.tokenizer, TASKS[task], [row], prefix=prefix, position=position,
                           max_tokens=max_tokens)
    return encoded


# --- where the prompt stands


def test_the_prompt_stands_where_the_position_says(backbone) -> None:
    prefix, *_ = (tuple(backbone.tokenizer(text, add_special_tokens=False)["input_ids"])
                  for text in frame(TASKS["mrpc"], "neutral"))
    end = backbone.tokenizer.eos_token_id
    rows = {position: encode(backbone, position=position) for position in POSITIONS}
    assert rows["before_all"].before == ()
    assert rows["after_prefix"].before == prefix
    assert rows["after_text"].after == (end,)
    assert len({row.before + row.after for row in rows.values()}) == 1  # the same pieces, wherever the prompt stands
    assert (rows["before_all"].before + rows["before_all"].after)[: len(prefix)] == prefix


def test_a_row_is_as_long_as_its_pieces_and_its_prompt(backbone) -> None:
    row = encode(backbone)
    assert row.length(0) == len(row.before) + len(row.after)
    assert row.length(7) == row.length(0) + 7


def test_rows_are_encoded_one_by_one(backbone) -> None:
    task = TASKS["mrpc"]
    both = encode_rows(backbone.tokenizer, task, [PAIR, LONG], prefix="neutral", position="after_text", max_tokens=60)
    assert both == [encode(backbone, row, position="after_text", max_tokens=60) for row in (PAIR, LONG)]
    assert encode_rows(backbone.tokenizer, task, [], prefix="neutral", position="after_text", max_tokens=60) == []


def test_a_text_may_be_empty(backbone) -> None:
    row = encode(backbone, Row(("", "a quiet baker"), 0, 0.0))
    assert "sentence1: sentence2: a quiet baker" in backbone.tokenizer.decode(row.after)


# --- cutting


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("prefix", ["neutral", "native"])
def test_cutting_keeps_prefix_field_names_end_and_something_of_both_texts(backbone, position: str, prefix: str) -> None:
    whole = encode(backbone, LONG, position=position, prefix=prefix, max_tokens=4096)
    cut = encode(backbone, LONG, position=position, prefix=prefix, max_tokens=40)
    text = backbone.tokenizer.decode(cut.before + cut.after)
    for piece in frame(TASKS["mrpc"], prefix):
        assert piece in text
    assert "river" in text
    assert "baker" in text
    assert text.endswith("</s>")
    assert cut.length(0) == 40
    assert (whole.cut, cut.cut) == (False, True)


def test_the_longer_text_is_cut_first_and_at_its_end(backbone) -> None:
    whole = encode(backbone, LONG, max_tokens=4096).length(0)
    text = backbone.tokenizer.decode(encode(backbone, LONG, max_tokens=whole - 50).after)
    assert (text.count("river"), text.count("baker")) == (40, 30)
    row = Row(("the old river opens a letter", "warm"), 0, 0.0)
    text = backbone.tokenizer.decode(encode(backbone, row, max_tokens=encode(backbone, row).length(0) - 2).after)
    assert "the old river opens sentence2: warm" in text


@given(st.lists(st.integers(0, 300), min_size=1, max_size=3), st.integers(0, 300))
def test_what_is_kept_fits_fills_the_room_and_cuts_the_longest(lengths: list[int], spare: int) -> None:
    room = len(lengths) + spare
    kept = keep_lengths(lengths, room)
    assert sum(kept) == min(sum(lengths), room)
    assert all(0 <= k <= n for k, n in zip(kept, lengths, strict=True))
    assert all(k > 0 for k, n in zip(kept, lengths, strict=True) if n)
    shortest_cut = min((k for k, n in zip(kept, lengths, strict=True) if k < n), default=None)
    if shortest_cut is not None:
        assert max(kept) <= shortest_cut + 1  # nobody keeps more than who was cut


def test_a_frame_that_leaves_no_room_is_an_error(backbone) -> None:
    pieces = [[1] * 9, [2] * 3, [3] * 3]
    assert room_for_text(TASKS["mrpc"], pieces, 18) == 2
    with pytest.raises(ConfigError) as caught:
        room_for_text(TASKS["mrpc"], pieces, 17)
    assert "take 16 tokens with this backbone. Got 17 instead; set at least 18." in str(caught.value)
    with pytest.raises(ConfigError, match="'max_tokens' setting of an experiment must leave room"):
        encode(backbone, max_tokens=10)


# --- batches


def some_rows() -> tuple[list[EncodedRow], list[int]]:
    rows = [EncodedRow((1, 2), (3, 4, 5), False), EncodedRow((), (6, 7), False), EncodedRow((8,) * 9, (9,), False)]
    return rows, [4, 0, 2]


def test_a_batch_holds_the_tokens_of_every_row_with_a_gap_for_its_prompt() -> None:
    rows, prompts = some_rows()
    batch = collate(rows, prompts)
    assert batch.ids.tolist() == [1, 2, 0, 0, 0, 0, 3, 4, 5, 6, 7, *[8] * 9, 0, 0, 9]
    assert batch.places.tolist() == [2, 3, 4, 5, 20, 21]
    assert [(group.rows, group.width, group.mask) for group in batch.groups] == [(1, 9, None), (1, 2, None),
                                                                                 (1, 12, None)]
    assert (batch.rows, batch.sizes) == (3, [9, 2, 12])


def test_neighbours_of_one_width_are_a_group() -> None:
    row = EncodedRow((1,), (2, 3), False)
    batch = collate([row, row, EncodedRow((4,), (), False), row], [0, 0, 2, 1])
    assert [(group.rows, group.width) for group in batch.groups] == [(3, 3), (1, 4)]
    assert batch.ids.tolist() == [1, 2, 3, 1, 2, 3, 4, 0, 0, 1, 0, 2, 3]


@pytest.mark.parametrize(("bucket", "extra", "width"), [(8, 0, 16), (1, 5, None), (8, 3, 19)])
def test_padding_stands_outside_and_shifts_no_place(bucket: int, extra: int, width: int | None) -> None:
    rows, prompts = some_rows()
    plain, wide = collate(rows, prompts), collate(rows, prompts, bucket, extra)
    assert wide.groups[0].width == width or width is None
    tokens = np.concatenate([np.ones(group.width * group.rows, bool) if group.mask is None else group.mask.ravel()
                             for group in wide.groups])
    assert (wide.ids[tokens] == plain.ids).all()
    assert not wide.ids[~tokens].any()
    assert (np.cumsum(tokens)[wide.places] - 1 == plain.places).all()


@given(st.lists(st.integers(1, 70), min_size=1, max_size=60), st.integers(1, 200), st.none() | st.integers(1, 9),
       st.sampled_from([1, 8]), st.integers(1, 3))
def test_chunks_cover_every_row_once_in_order_of_width(
    lengths: list[int], limit: int, most: int | None, bucket: int, ways: int
) -> None:
    parts = list(chunks(lengths, limit, most, bucket, ways))
    widths = padded(np.array(lengths), bucket)
    assert sorted(i for part in parts for i in part) == list(range(len(lengths)))
    order = [widths[i] for part in parts for i in part]
    assert order == sorted(order)
    for part in parts:
        assert len(part) == 1 or widths[part].sum() <= limit + widths[part].max()
        assert most is None or len(part) <= most + 1
    if most is None and max(widths) <= limit:
        assert all(abs(widths[part].sum() - widths.sum() / len(parts)) <= widths.max() for part in parts)


def test_parts_are_a_multiple_of_the_ways_where_there_are_rows_enough() -> None:
    assert [len(part) for part in chunks([5] * 12, 30, ways=3)] == [4, 4, 4]
    assert [len(part) for part in chunks([5] * 12, 1000, ways=2)] == [6, 6]
    assert [len(part) for part in chunks([5], 1000, ways=2)] == [1]
    assert [len(part) for part in chunks([5] * 12, 1000, max_rows=4)] == [4, 4, 4]


@given(st.integers(1, 10_000), st.integers(1, 64))
def test_a_width_depends_on_the_length_alone(length: int, bucket: int) -> None:
    width = int(padded(np.array([length]), bucket)[0])
    assert length <= width < length + bucket
    assert width % bucket == 0


def test_label_ids_end_in_the_end(backbone) -> None:
    words = label_ids(backbone.tokenizer, ["positive", "not_entailment"])
    assert words == [(*backbone.tokenizer(word, add_special_tokens=False)["input_ids"], backbone.tokenizer.eos_token_id)
                     for word in ("positive", "not_entailment")]
    assert len(words[0]) < len(words[1])
