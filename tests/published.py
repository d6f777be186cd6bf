"""Small checkpoints in the shapes of the published families: their config.json, their names of weights, their files.

The fields are those of the published config.json files, with small sizes. Weights are random.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from transformers import T5Config, T5ForConditionalGeneration, UMT5Config, UMT5ForConditionalGeneration

TABLE, COPIES, HEAD = "shared.weight", ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight"), "lm_head.weight"
IDLE = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
SIZES = {"d_model": 24, "d_kv": 7, "num_heads": 3, "d_ff": 40, "num_layers": 2, "num_decoder_layers": 2}
_ALL = {"decoder_start_token_id": 0, "dropout_rate": 0.1, "eos_token_id": 1, "initializer_factor": 1.0,
        "is_encoder_decoder": True, "layer_norm_epsilon": 1e-06, "pad_token_id": 0,
        "relative_attention_num_buckets": 32, "transformers_version": "4.12.0.dev0"} | SIZES
_T5 = _ALL | {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"}
_NEWER = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
# family -> config.json and what its tokenizer_config.json says; mt5's pieces have bytes and its extra ids among them
CONFIGS: dict[str, dict[str, Any]] = {
    "t5": _T5 | {"architectures": ["T5WithLMHeadModel"], "n_positions": 512, "output_past": True,
                 "task_specific_params": {"translation_en_to_de": {"prefix": "translate English to German: "}}},
    "t5-v1_1": _T5 | _NEWER | {"output_past": True},
    "lm-adapt": _T5 | _NEWER | {"output_past": True},
    "flan-t5": _T5 | _NEWER | {"n_positions": 512, "output_past": True, "relative_attention_max_distance": 128},
    "mt5": _T5 | _NEWER | {"architectures": ["MT5ForConditionalGeneration"], "model_type": "mt5",
                           "tokenizer_class": "T5Tokenizer"},
    "byt5": _T5 | _NEWER | {"tokenizer_class": "ByT5Tokenizer", "gradient_checkpointing": False},
    "t5-efficient": _T5 | {"feed_forward_proj": "relu", "n_positions": 512, "torch_dtype": "float32"},
    "umt5": _ALL | _NEWER | {
        "architectures": ["UMT5ForConditionalGeneration"], "scalable_attention": True, "dense_act_fn": "gelu_new",
        "is_gated_act": True, "tokenizer_class": "T5Tokenizer"},
}
EXTRA_IDS = {"mt5": 0, "umt5": 300}
UNTIED = tuple(family for family, config in CONFIGS.items() if config.get("tie_word_embeddings") is False)


def write(folder: Path, family: str, pieces: Path | None, *, pickled: bool = False, shards: int = 1) -> Path:
    """Makes `folder` a checkpoint of `family` with `pieces` as its spiece.model; its weights as they were published:
    pickled with all copies of the table, or as safetensors with one."""
    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIGS[family] | {"vocab_size": vocabulary(family, pieces)}
    (folder / "config.json").write_text(json.dumps(config))
    beside = {"tokenizer_class": "ByT5Tokenizer" if family == "byt5" else "T5Tokenizer", "eos_token": "</s>",
              "unk_token": "<unk>", "pad_token": "<pad>"}
    if family != "byt5":
        assert pieces is not None
        (folder / "spiece.model").write_bytes(pieces.read_bytes())
        beside["extra_ids"] = EXTRA_IDS.get(family, 100)  # type: ignore[assignment]
    (folder / "tokenizer_config.json").write_text(json.dumps(beside))
    save(folder, weights(config, pickled=pickled), pickled=pickled, shards=shards)
    return folder


def vocabulary(family: str, pieces: Path | None) -> int:
    """Rows of the table: as published, a multiple of 128 with some rows to spare."""
    if pieces is None:
        return 384  # ByT5's
    count = sentencepiece.SentencePieceProcessor(model_file=str(pieces)).get_piece_size()
    return (count + EXTRA_IDS.get(family, 100) + 127) // 128 * 128


def weights(config: dict[str, Any], *, pickled: bool) -> dict[str, torch.Tensor]:
    """Random weights by their published names."""
    umt5 = config.get("model_type") is None
    known = {name: config[name] for name in (*SIZES, "vocab_size", "decoder_start_token_id")}
    known["feed_forward_proj"] = config.get("feed_forward_proj", "relu")
    torch.manual_seed(3)
    model = (UMT5ForConditionalGeneration(UMT5Config(**known)) if umt5 else
             T5ForConditionalGeneration(T5Config(**known)))
    named = {name: torch.randn_like(value) * 0.2 for name, value in model.state_dict().items()}
    tied = config.get("tie_word_embeddings") is not False
    for name in COPIES:
        named[name] = named[TABLE]
    if tied:
        named[HEAD] = named[TABLE]
    if not pickled:
        for name in (*COPIES, HEAD) if tied else COPIES:
            del named[name]
    elif tied:
        named[IDLE] = torch.randn(32, config["num_heads"])
    return named


def save(folder: Path, named: dict[str, torch.Tensor], *, pickled: bool, shards: int) -> None:
    """Writes weights in one file or, with an index, in several."""
    from safetensors.torch import save_file

    stem, ending = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
    names, places = sorted(named), {}
    for number in range(shards):
        file = f"{stem}.{ending}" if shards == 1 else f"{stem}-{number + 1:05}-of-{shards:05}.{ending}"
        part = {name: named[name] for name in names[number::shards]}
        if pickled:
            torch.save(part, folder / file)
        else:
            save_file({name: value.contiguous() for name, value in part.items()}, folder / file)
        places |= dict.fromkeys(part, file)
    if shards > 1:
        (folder / f"{stem}.{ending}.index.json").write_text(
            json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
