"""Weight files against the settings: what is missing, too much, of another size, not a number, or there twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch

from compt_core.backbone.files import check_contents, read_model
from compt_core.backbone.load import find_backbone, load_backbone
from compt_core.errors import BackboneError

Problem = Callable[[object], str]
Weights = dict[str, np.ndarray]
Spoil = Callable[[Weights], Weights]


def drop(*parts: str) -> Spoil:
    return lambda weights: {name: value for name, value in weights.items() if not name.startswith(parts)}


def put(name: str, value: np.ndarray) -> Spoil:
    return lambda weights: weights | {name: value}


@pytest.mark.parametrize(("spoil", "says"), [
    (drop("decoder"), "must have an encoder and a decoder. Got weights of an encoder alone; give the complete model."),
    (drop("decoder.block.0.layer.0"), "lacks 6 weights, the first of them 'decoder.block.0.layer.0.SelfAttention.k"),
    (drop("shared"), "lacks the weight 'shared.weight'. Save the complete model"),
    (lambda weights: drop("shared")(weights) | {"lm_head.weight": weights["shared.weight"]},
     "lacks the weight 'shared.weight'."),
    (drop(""), "lacks 34 weights, the first of them 'shared.weight'."),
    (lambda weights: {f"model.{name}": value for name, value in weights.items()}, "lacks 34 weights"),
    (put("encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight", np.ones((32, 3), "f4")),
     "holds the weight 'encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight', which its config"),
    (put("encoder.block.0.layer.0.SelfAttention.q.lora_A.weight", np.ones((2, 24), "f4")), "does not know"),
    (put("shared.weight", np.ones((140, 24), "i1")), "must be of type F64, F32, F16, BF16. Got 'I8'; save the model "),
    (put("shared.weight", np.ones((24, 140), "f4")), "must be 140 x 24, as its config.json says. Got 24 x 140"),
    (put("shared.weight", np.ones((140 * 24,), "f4")), "Got 3,360 in"),
    (put("encoder.final_layer_norm.weight", np.ones((), "f4")), "must be 24, as its config.json says. Got a single n"),
    (put("lm_head.weight", np.ones((141, 24), "f4")), "The weight 'lm_head.weight' of backbone"),
    (put("decoder.embed_tokens.weight", np.ones((141, 24), "f4")), "The weight 'decoder.embed_tokens.weight' of"),
])
def test_weights_that_are_not_those_of_the_settings_are_refused(
    copy: Path, spoil: Spoil, says: str, problem: Problem
) -> None:
    save_file(spoil(load_file(copy / "model.safetensors")), copy / "model.safetensors")
    assert says in problem(copy)


def at(name: str, value: float, kind: str = "f4") -> Spoil:
    """One number of a weight is another, and all of them of a type."""
    def spoil(weights: Weights) -> Weights:
        weights = {name: array.astype(kind) for name, array in weights.items()}
        weights[name].flat[-1] = value
        return weights

    return spoil


@pytest.mark.parametrize(("spoil", "says"), [
    (at("shared.weight", np.nan), "The weight 'shared.weight' of backbone"),
    (at("decoder.final_layer_norm.weight", -np.inf), "must hold finite numbers of at most 65,504. Got inf in 'model."),
    (at("decoder.block.0.layer.2.DenseReluDense.wo.weight", np.nan, "f2"), "Got nan (not a number) in"),
    (at("encoder.block.1.layer.1.DenseReluDense.wi.weight", 1e300, "f8"), "Got 1e+300 in"),
    (lambda weights: {name: value * np.float32(1e37) for name, value in weights.items()}, "Got "),
    (at("shared.weight", -70_000), "Got 7e+04 in"),
    (lambda weights: weights | {"encoder.embed_tokens.weight": weights["shared.weight"] + 1},
     "holds one table of words twice, as 'shared.weight' and 'encoder.embed_tokens.weight', and the two differ"),
    (lambda weights: weights | {"decoder.embed_tokens.weight": -weights["shared.weight"]}, "'decoder.embed_tokens.w"),
    (lambda weights: weights | {"lm_head.weight": weights["shared.weight"][::-1].copy()}, "'lm_head.weight', and the"),
    (lambda weights: drop("shared")(weights) | {"encoder.embed_tokens.weight": weights["shared.weight"],
                                               "decoder.embed_tokens.weight": 2 * weights["shared.weight"]},
     "'encoder.embed_tokens.weight' and 'decoder.embed_tokens.weight', and the two differ"),
])
def test_numbers_that_cannot_be_meant_are_found_when_they_are_read(copy: Path, spoil: Spoil, says: str) -> None:
    whole = load_file(copy / "model.safetensors")
    save_file(spoil(dict(whole)), copy / "model.safetensors")
    files = find_backbone(str(copy))
    for look in (check_contents, load_backbone):
        with pytest.raises(BackboneError) as caught:
            look(files)
        assert says in str(caught.value) and "\n" not in str(caught.value)
    save_file(whole, copy / "model.safetensors")
    os.utime(copy / "model.safetensors", ns=(1, 1))
    check_contents(files)


def test_bfloat16_is_read_too(copy: Path) -> None:
    whole = load_file(copy / "model.safetensors")
    weights = {name: torch.from_numpy(value).bfloat16() for name, value in whole.items()}
    save_torch(weights, copy / "model.safetensors")
    check_contents(find_backbone(str(copy)))
    weights["shared.weight"][-1, -1] = -torch.inf
    save_torch(weights, copy / "model.safetensors")
    with pytest.raises(BackboneError, match=r"'shared.weight' .* Got inf in"):
        check_contents(find_backbone(str(copy)))


def test_which_files_hold_the_weights(copy: Path, problem: Problem) -> None:
    whole = load_file(copy / "model.safetensors")
    index, names = copy / "model.safetensors.index.json", sorted(whole)
    parts = {f"model-0000{n}-of-00002.safetensors": names[n - 1::2] for n in (1, 2)}
    for part, own in parts.items():
        save_file({name: whole[name] for name in own}, copy / part)
    index.write_text(json.dumps({"weight_map": {name: part for part, own in parts.items() for name in own}}))
    (copy / "model.safetensors").rename(copy / "optimizer.safetensors")  # what no index names is not read
    files = find_backbone(str(copy))
    assert {place.file.name for place in read_model(files.ref, copy)[1].values()} == set(parts)
    save_file(whole, copy / min(parts))
    assert "' twice: in 'model-00001-of-00002.safetensors' and 'model-00002-of-00002.safetensors'." in problem(copy)
    index.unlink()
    assert "must hold its weights in model.safetensors, or in parts that model.safetensors.index.json" in problem(copy)
    for wrong in ({"a": 7, "b": "c"}, {"a": ["b"]}, {"a": None}, "x", None):
        index.write_text(json.dumps({"weight_map": wrong}))
        assert "The file 'model.safetensors.index.json' of backbone" in problem(copy)
