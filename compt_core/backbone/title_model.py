"""From the wheel of the PyPI package traceforge-title-model to a checkpoint of its T5 as save_pretrained writes one.

The package (MIT) carries flan-t5-small, tuned by its authors to write titles, as two ONNX graphs whose weights have 8
bits and one scale per matrix. Pieces and shapes are those of google/flan-t5-small, which is a T5 v1.1: 512 wide, 8 + 8
layers, 6 heads, gated GELU, a head of its own. Only data is read from the wheel; none of its code is imported.
Loads no torch.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from compt_core.backbone.onnx_weights import read_weights

LAYERS = 8  # of the encoder, and of the decoder
CONFIG: dict[str, Any] = {
    "architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "d_model": 512, "d_kv": 64, "d_ff": 1024,
    "num_layers": LAYERS, "num_decoder_layers": LAYERS, "num_heads": 6, "vocab_size": 32128,
    "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6, "decoder_start_token_id": 0,
    "eos_token_id": 1, "pad_token_id": 0, "is_encoder_decoder": True, "n_positions": 512,
}
TOKENIZER: dict[str, Any] = {
    "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
    "extra_special_tokens": [f"<extra_id_{i}>" for i in range(100)], "model_max_length": 512,
}
# The weights of a layer's matrix products, in the order in which the model multiplies by them.
_OWN = tuple(f"0.SelfAttention.{part}" for part in "qkvo")
_CROSS = tuple(f"1.EncDecAttention.{part}" for part in "qkvo")
_FORWARD = tuple(f"DenseReluDense.{part}" for part in ("wi_0", "wi_1", "wo"))
_PRODUCTS = {"encoder": (*_OWN, *(f"1.{name}" for name in _FORWARD)),
             "decoder": (*_OWN, *_CROSS, *(f"2.{name}" for name in _FORWARD))}
_STARTS = {"encoder": "enc.", "decoder": "m.decoder."}  # of the names that the exporter kept
_BIAS = "block.0.layer.0.SelfAttention.relative_attention_bias.weight"
_DATA = "traceforge_title_model/data/span/"  # in the wheel


def write_checkpoint(wheel: Path, folder: Path, progress: Callable[[str], None]) -> None:
    """Writes config.json, tokenizer.json, tokenizer_config.json, model.safetensors (float32, 310 MB) and the wheel's
    METADATA (its licence) into `folder`. Raises OSError, zipfile.BadZipFile, KeyError or ValueError."""
    with zipfile.ZipFile(wheel) as archive:
        weights: dict[str, np.ndarray] = {}
        for side in _PRODUCTS:
            progress(f"Reading the {side}'s weights …")
            weights |= checkpoint_weights(side, read_weights(archive.read(f"{_DATA}{side}.onnx")))
        progress("Writing the checkpoint, 310 MB …")
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        # The library lets its owner alone read it.
        (folder / "model.safetensors").chmod((folder.stat().st_mode & 0o666) | 0o600)
        (folder / "tokenizer.json").write_bytes(archive.read(f"{_DATA}tokenizer.json"))
        about = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        (folder / "METADATA").write_bytes(archive.read(about))
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER, indent=1), encoding="utf-8")


def checkpoint_weights(side: str, found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of one side, "encoder" or "decoder", by T5's own names, from those of its graph.

    The exporter kept the names of tables and norms and numbered the matrices [in, out] of products, upwards in the
    order of the model; T5 keeps them as [out, in].
    """
    numbered = {int(number[1]): matrix for name, matrix in found.items()
                if (number := re.fullmatch(r"onnx::MatMul_(\d+)", name))}
    products = [numbered[number].T for number in sorted(numbered)]
    names = [f"{side}.block.{block}.layer.{name}.weight" for block in range(LAYERS) for name in _PRODUCTS[side]]
    if side == "decoder":
        names.append("lm_head.weight")
    start = _STARTS[side]
    weights = dict(zip(names, products, strict=True))
    weights |= {f"{side}.{name.removeprefix(start)}": values for name, values in found.items()
                if name.startswith(start) and ("layer_norm" in name or name == start + _BIAS)}
    if side == "encoder":
        weights["shared.weight"] = found["enc.embed_tokens.weight"]
    return {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in weights.items()}
