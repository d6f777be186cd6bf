"""A checkpoint in the shape of each published family is found, checked and loaded as transformers loads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from published import CONFIGS, COPIES, HEAD, TABLE, UNTIED, save, weights, write
from safetensors.torch import load_file

from compt_core.backbone.files import check_contents, encoder, unknown_words
from compt_core.backbone.load import find_backbone, load_backbone
from compt_core.backbone.t5 import PackedLabels, decode, encode, vocabulary_logits
from compt_core.backbone.vocabulary import nearest, norm_range, spelled
from compt_core.scoring.score import score_task
from compt_core.tasks.batches import collate, encode_rows, label_ids
from compt_core.tasks.first import first_ids
from compt_core.tasks.spec import Row
from compt_core.tasks.table import TASKS

Problem = Callable[[object], str]
ROWS = [Row(("the quiet river, naïve 猫",), 1, 1.0), Row(("a broken engine that is repaired",), 0, 0.0)]


def made(folder: Path, family: str, spieces: dict[str, Path], **how: int) -> Path:
    return write(folder, family, None if family == "byt5" else spieces["mt5" if family == "mt5" else "t5"],
                 **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", CONFIGS)
def test_the_family_loads_with_transformers_logits(family: str, tmp_path: Path, spieces: dict[str, Path]) -> None:
    folder = made(tmp_path / "t5", family, spieces)
    files = find_backbone(str(folder))
    check_contents(files)
    ours = load_backbone(files, "cpu")
    kind = {"mt5": "MT5", "umt5": "UMT5"}.get(family, "T5")
    theirs = getattr(transformers, f"{kind}ForConditionalGeneration").from_pretrained(folder).eval()
    if family == "umt5":
        theirs.config.tie_word_embeddings = False  # as the file says; transformers 5 overrules it
    rows = encode_rows(ours.tokenizer, TASKS["sst2"], ROWS, prefix="neutral", position="before_all", max_tokens=64)
    memory = encode(ours, collate(rows, [0, 0]), torch.zeros(0, 24))
    start = torch.tensor([[0, 9, 4]])
    with torch.no_grad():
        found = vocabulary_logits(ours.model, decode(ours, memory, start.expand(2, -1)))
        for row, logits in zip(rows, found, strict=True):
            ids = torch.tensor([row.before + row.after])
            expected = theirs(input_ids=ids, decoder_input_ids=start).logits[0]
            torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(ours.model(input_ids=ids, decoder_input_ids=start).logits[0], expected,
                                       atol=1e-4, rtol=1e-4)
        packed = PackedLabels(label_ids(ours.tokenizer, ["positive", "négatif"]), 0, ours.device)
        assert packed.scores(ours, memory).isfinite().all()


@pytest.mark.parametrize("family", UNTIED)
def test_a_head_of_its_own_stays_its_own(family: str, tmp_path: Path, spieces: dict[str, Path]) -> None:
    model = load_backbone(find_backbone(str(made(tmp_path / "t5", family, spieces))), "cpu").model
    assert not torch.equal(model.lm_head.weight, model.shared.weight)


def test_each_layer_of_umt5_has_its_own_bias(tmp_path: Path, spieces: dict[str, Path], problem: Problem) -> None:
    folder = made(tmp_path / "t5", "umt5", spieces)
    stored = load_file(folder / "model.safetensors")
    name = "decoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight"
    model = load_backbone(find_backbone(str(folder)), "cpu").model
    assert torch.equal(model.state_dict()[name], stored.pop(name))
    save(folder, stored, pickled=False, shards=1)
    assert f"lacks the weight '{name}'" in problem(folder)


def test_a_umt5_that_says_tied_and_is_not_is_refused(
    tmp_path: Path, spieces: dict[str, Path], settings: Callable[..., None]
) -> None:
    """As transformers 5 saves every UMT5."""
    folder = made(tmp_path / "t5", "umt5", spieces)
    settings(folder, model_type="umt5", tie_word_embeddings=True)
    with pytest.raises(Exception, match=r"the two differ.* set tie_word_embeddings to false in its config.json\."):
        check_contents(find_backbone(str(folder)))


@pytest.mark.parametrize("family", ["t5", "t5-v1_1", "byt5", "umt5"])
def test_parts_are_the_whole(family: str, tmp_path: Path, spieces: dict[str, Path]) -> None:
    whole, parts = (load_backbone(find_backbone(str(made(tmp_path / str(shards), family, spieces, shards=shards))),
                                  "cpu") for shards in (1, 3))
    assert all(torch.equal(value, parts.model.state_dict()[name]) for name, value in whole.model.state_dict().items())


@pytest.mark.parametrize("kept", COPIES)
def test_a_table_under_another_name_is_the_table(kept: str, tmp_path: Path, spieces: dict[str, Path]) -> None:
    folder = made(tmp_path / "t5", "t5-v1_1", spieces)
    named = load_file(folder / "model.safetensors")
    named[kept] = table = named.pop(TABLE)
    save(folder, named, pickled=False, shards=1)
    model = load_backbone(find_backbone(str(folder)), "cpu").model
    assert all(torch.equal(model.state_dict()[name], table) for name in (TABLE, *COPIES))


def test_an_encoder_alone_is_refused(tmp_path: Path, spieces: dict[str, Path], problem: Problem,
                                     settings: Callable[..., None]) -> None:
    folder = made(tmp_path / "t5", "t5-v1_1", spieces)
    named = {name: value for name, value in load_file(folder / "model.safetensors").items()
             if not name.startswith(("decoder.", HEAD))}
    save(folder, named, pickled=False, shards=1)
    assert "must have an encoder and a decoder. Got weights of an encoder alone; give the complete" in problem(folder)
    settings(folder, architectures=["T5EncoderModel"])
    assert "Got an encoder alone ('T5EncoderModel')" in problem(folder)


def test_a_byt5_reads_and_names_bytes(tmp_path: Path, spieces: dict[str, Path]) -> None:
    folder = made(tmp_path / "t5", "byt5", spieces)
    files = find_backbone(str(folder))
    loaded = load_backbone(files, "cpu")
    assert unknown_words(files, ["猫", "good", "\u0378", "😀"]) == []
    assert label_ids(loaded.tokenizer, ["good", "é"]) == [(*(3 + byte for byte in b"good"), 1),
                                                          (*(3 + byte for byte in "é".encode()), 1)]
    assert len(loaded.tokenizer) == 384 and loaded.tokenizer.pad_token_id == 0
    table = load_file(folder / "model.safetensors")[TABLE].numpy()
    rows = np.array([3 + ord("a"), 3 + ord(" "), 3 + 0xC3, 1, 259])
    found = nearest(files, table[rows], "cosine", 1).ids.ravel()
    assert found.tolist() == rows.tolist()
    assert spelled(files, rows) == ["a", "▁", "<0xC3>", "</s>", "<extra_id_0>"]
    assert norm_range(files)[0] > 0


@pytest.mark.parametrize("family", ["byt5", "mt5", "t5-v1_1"])
def test_the_first_tokens_are_those_of_the_whole_text(family: str, tmp_path: Path, spieces: dict[str, Path]) -> None:
    encode, _ = encoder(find_backbone(str(made(tmp_path / "t5", family, spieces))))
    texts = ["the quiet river finds a garden " * 200, "naïve  猫\t\n" * 300, "river" * 900, " " * 900 + "a b", ""]
    for most in (1, 7, 40):
        assert first_ids(encode, texts, most) == [ids[:most] for ids in encode(texts)]


@pytest.mark.parametrize("family", ["byt5", "umt5"])
def test_answers_can_be_written_too(family: str, tmp_path: Path, spieces: dict[str, Path]) -> None:
    """Scoring by generation, which decodes bytes with ByT5."""
    backbone = load_backbone(find_backbone(str(made(tmp_path / "t5", family, spieces))), "cpu")
    task = replace(TASKS["sst2"], labels=("é", "b"))
    rows = encode_rows(backbone.tokenizer, task, ROWS, prefix="neutral", position="before_all", max_tokens=64)
    scored = score_task(backbone, task, ROWS, rows, {"": torch.zeros(2, 24)}, prefix="neutral", scoring="generate")
    assert scored[""].scores.shape == (2, 2)


def test_the_digest_covers_what_makes_the_tokenizer(tmp_path: Path, spieces: dict[str, Path]) -> None:
    folder = made(tmp_path / "t5", "t5-v1_1", spieces)
    files = find_backbone(str(folder))
    before, stamps = files.digest(), files.tokenizer_stamps()
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    assert files.digest() == before and files.tokenizer_stamps() == stamps
    (folder / "tokenizer_config.json").write_text(json.dumps({"extra_ids": 7}))
    after = files.digest()
    assert after != before and files.tokenizer_stamps() != stamps
    (folder / "spiece.model").write_bytes(spieces["mt5"].read_bytes())
    assert files.digest() not in (before, after)


def test_weights_of_umt5_are_those_of_its_names() -> None:
    """206 weights in google/umt5-small: a bias in each of 8 + 8 layers, three names of the table, and a head."""
    config = CONFIGS["umt5"] | {"vocab_size": 384, "num_layers": 8, "num_decoder_layers": 8}
    assert len(weights(config, pickled=True)) == 206
