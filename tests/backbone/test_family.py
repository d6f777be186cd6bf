"""Whatever transformers saves of a T5 or an mT5 is taken, and loaded as transformers loads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import MT5Config, MT5ForConditionalGeneration, T5Config, T5ForConditionalGeneration
from transformers.activations import ACT2FN

from compt_core.backbone.config import ACTIVATIONS, OTHER_NAMES
from compt_core.backbone.files import check_contents
from compt_core.backbone.load import Backbone, find_backbone, load_backbone

SIZES = {"vocab_size": 140, "d_model": 24, "d_kv": 7, "num_heads": 3, "d_ff": 40, "num_layers": 2,
         "num_decoder_layers": 1, "decoder_start_token_id": 0}
TABLE, COPIES = "shared.weight", ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
HEAD = "lm_head.weight"
Make = Callable[..., Path]
Weights = dict[str, torch.Tensor]
Spoil = Callable[[Weights], None]


@pytest.fixture
def make(copy: Path) -> Make:
    """A folder as transformers saves it, its own head untied where `head`; `weights` and `config` spoil the files."""
    def save(*, mt5: bool = False, head: bool = False, shard: str = "1GB", weights: Spoil | None = None,
             config: dict[str, Any] | None = None, **settings: Any) -> Path:
        torch.manual_seed(1)
        model = (MT5ForConditionalGeneration(MT5Config(**SIZES | settings)) if mt5 else
                 T5ForConditionalGeneration(T5Config(**SIZES | settings)))
        if head:
            model.lm_head.weight = torch.nn.Parameter(torch.randn(140, 24))
        for file in (*copy.glob("*.safetensors"), copy / "config.json"):
            file.unlink()
        model.save_pretrained(copy, max_shard_size=shard)
        if weights:
            stored = load_file(copy / "model.safetensors")
            weights(stored)
            save_file({name: value.clone() for name, value in stored.items()}, copy / "model.safetensors")
        file = copy / "config.json"
        stored_config = json.loads(file.read_text()) | (config or {})
        file.write_text(json.dumps({name: value for name, value in stored_config.items() if value is not ...}))
        return copy

    return save


def all_four(weights: Weights) -> None:
    weights |= dict.fromkeys((*COPIES, HEAD), weights[TABLE])


def three(weights: Weights) -> None:
    weights |= dict.fromkeys(COPIES, weights[TABLE])


def only(name: str) -> Spoil:
    def rename(weights: Weights) -> None:
        weights[name] = weights.pop(TABLE)

    return rename


def idle(weights: Weights) -> None:
    weights["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = torch.ones(32, 3)


def half(weights: Weights) -> None:
    for name in weights:
        weights[name] = weights[name].half()


# As transformers 4 wrote them: no word of the scale, which follows from whether the head is tied.
OLD = {"scale_decoder_outputs": ..., "dense_act_fn": ..., "is_gated_act": ...}
UNTIED = OLD | {"tie_word_embeddings": False}

KINDS: dict[str, dict[str, Any]] = {
    "t5 1.0": {},
    "t5 1.0 of old": {"config": OLD},
    "t5 1.0 with all four copies": {"config": OLD, "weights": all_four},
    "t5 1.0 with its idle bias": {"config": OLD, "weights": idle},
    "table by the encoder's name": {"weights": only(COPIES[0])},
    "table by the decoder's name": {"weights": only(COPIES[1])},
    "t5 1.1 of old": {"feed_forward_proj": "gated-gelu", "head": True, "config": UNTIED},
    "t5 1.1 of old with copies": {"feed_forward_proj": "gated-gelu", "head": True, "config": UNTIED, "weights": three},
    "t5 1.1": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "head": True},
    "t5 1.1 tied": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "gated silu, symmetric": {"feed_forward_proj": "gated-silu", "num_decoder_layers": None},
    "float16": {"weights": half},
    "in parts": {"shard": "20KB"},
    "mt5 of old": {"mt5": True, "head": True, "config": OLD | {"tie_word_embeddings": False}},
    "mt5": {"mt5": True, "head": True},
    "mt5 tied": {"mt5": True},
    "by the other names": {"config": dict.fromkeys(OTHER_NAMES.values(), ...)
                                     | {other: SIZES[name] for other, name in OTHER_NAMES.items()}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_transformers_saves_is_loaded_as_transformers_loads_it(kind: str, make: Make) -> None:
    folder = make(**KINDS[kind])
    files = find_backbone(str(folder))
    check_contents(files)
    ours = load_backbone(files, "cpu").model
    theirs = type(ours).from_pretrained(folder, dtype=torch.float32).requires_grad_(False).eval()
    assert {name: value.tolist() for name, value in ours.state_dict().items()} == \
        {name: value.tolist() for name, value in theirs.state_dict().items()}
    ids, start = torch.tensor([[5, 6, 7, 1]]), torch.tensor([[0, 9]])
    assert torch.equal(ours(input_ids=ids, decoder_input_ids=start).logits,
                       theirs(input_ids=ids, decoder_input_ids=start).logits)
    here, there = ours.config.to_dict(), theirs.config.to_dict()
    assert {name for name in here if here[name] != there[name]} <= {"_name_or_path", "architectures", "dtype"}


def test_every_activation_is_one_of_transformers() -> None:
    assert set(ACTIVATIONS) <= set(ACT2FN)


def tables(backbone: Backbone) -> set[int]:
    model = backbone.model
    return {id(model.shared.weight), id(model.encoder.embed_tokens.weight), id(model.decoder.embed_tokens.weight)}


def test_there_is_one_table_in_memory(make: Make) -> None:
    untied = load_backbone(find_backbone(str(make(**KINDS["t5 1.1"]))), "cpu")
    tied = load_backbone(find_backbone(str(make(config=OLD, weights=all_four))), "cpu")
    assert len(tables(untied)) == len(tables(tied)) == 1
    assert id(untied.model.lm_head.weight) not in tables(untied)
    assert id(tied.model.lm_head.weight) in tables(tied)


def test_no_other_file_and_no_other_key_has_a_say(make: Make, copy: Path) -> None:
    """What is in the digest is all that is read: a key or a file that transformers would follow changes nothing."""
    strange = {"num_labels": 10**9, "auto_map": {"AutoModelForSeq2SeqLM": "evil.Model"}, "dtype": "load",
               "quantization_config": {"quant_method": "bitsandbytes"}, "attn_implementation": "flash_attention_2",
               "scale_embedding": True, "tokenizer_class": "Evil"}
    make(config=strange)
    files = find_backbone(str(copy))
    (copy / "generation_config.json").write_text('{"min_length": 12, "num_beams": 7}')
    (copy / "tokenizer_config.json").write_text('{"tokenizer_class": "Evil", "eos_token": {"content": "</s>"}}')
    (copy / "adapter_config.json").write_text("{")
    loaded = load_backbone(files, "cpu")
    assert loaded.digest == files.digest()
    assert loaded.model.generation_config.num_beams in (None, 1)
    assert loaded.tokenizer.eos_token_id == 1 and loaded.tokenizer.pad_token_id == 0
