"""What a list of files leads to, for the lists of the published families and for odd ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from published import CONFIGS, EXTRA_IDS, weights, write

from compt_core.backbone.choice import choose
from compt_core.backbone.config import parameters, read_settings
from compt_core.backbone.tokenizer import tokenizer_files
from compt_core.errors import BackboneError

KNOWN: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "hub_files.json").read_text())["models"]
SAFE = ("config.json", "model.safetensors", "tokenizer.json")


@pytest.mark.parametrize("name", KNOWN)
def test_the_published_lists_lead_where_they_should(name: str) -> None:
    known = KNOWN[name]
    plan = choose(known["files"], known["config"])
    assert (plan.weights, plan.tokenizer) == (known["weights"], known["tokenizer"])
    assert all(file in known["files"] and "/" not in file for file in plan.files)
    assert not any(file.endswith((".h5", ".msgpack", ".ot", ".onnx")) for file in plan.files)
    if known["weights"] == "pickled":
        assert "pytorch_model" in plan.problem and "backbone convert REF OUT" in plan.problem
    # Its conversion branch has the same files and safetensors.
    branch = choose([*known["files"], "model.safetensors"], known["config"])
    assert branch.weights == "safetensors" and branch.problem == ""
    assert "pytorch_model.bin" not in branch.files
    assert choose([*known["files"], "model.safetensors"]).problem == ""  # without its config: by names alone


@pytest.mark.parametrize("family", CONFIGS)
def test_a_folder_is_judged_as_its_list(family: str, tmp_path: Path, spieces: dict[str, Path]) -> None:
    folder = write(tmp_path / "t5", family, None if family == "byt5" else spieces["mt5" if family == "mt5" else "t5"])
    plan = choose([file.name for file in folder.iterdir()], json.loads((folder / "config.json").read_text()))
    assert plan.problem == "" and plan.weights == "safetensors"
    assert (plan.tokenizer == "bytes") == (family == "byt5")
    assert set(tokenizer_files(folder)) <= set(plan.files)


@pytest.mark.parametrize(("ref", "word"), [("lab/x", "lab/x"), ("my models/t5", '"my models/t5"'),
                                           ("a $HOME", '"a \\$HOME"')])
def test_the_command_that_converts_can_be_copied(ref: str, word: str) -> None:
    with pytest.raises(BackboneError) as caught:
        choose(["config.json", "pytorch_model.bin"]).insist(ref)
    assert f"backbone convert {word} OUT'" in str(caught.value)


def test_parts_are_taken_with_their_index() -> None:
    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]
    assert choose([*SAFE, *parts, "model.fp16.safetensors", "x/model.safetensors"]).files == (
        "config.json", "tokenizer.json", *sorted((*parts, "model.safetensors")))
    assert choose(["config.json", "tokenizer.json", "model.safetensors.index.json"]).weights == "none"


@pytest.mark.parametrize(("names", "config", "says"), [
    (SAFE[1:], {}, "has no config.json"),
    (SAFE, {"model_type": "bert"}, "must be of the T5 family (t5, mt5, umt5). Got model type 'bert'"),
    (SAFE, {"model_type": "t5", "architectures": ["T5EncoderModel"]}, "Got an encoder alone ('T5EncoderModel')"),
    (SAFE[:2], {"model_type": "t5"}, "has no tokenizer. It needs a tokenizer.json or a spiece.model"),
    (("config.json", "tf_model.h5"), None, "Got only 'tf_model.h5'; save the model with save_pretrained first."),
    (("config.json", "model.pt"), None, "Got only pickled weights (model.pt), which can run code when loaded"),
    (("config.json", "onnx/model.onnx"), None, "Got none; save the model"),
    (("config.json",), None, "Got none; save the model"),
])
def test_what_stands_in_the_way_is_one_sentence(names: tuple[str, ...], config: dict[str, Any] | None, says: str
                                                ) -> None:
    plan = choose(names, config)
    assert says in plan.problem
    with pytest.raises(BackboneError, match=r"^The backbone 'lab/x' "):
        plan.insist("lab/x")


@pytest.mark.parametrize("family", CONFIGS)
def test_the_number_of_parameters_is_that_of_the_weights(family: str, tmp_path: Path) -> None:
    config = CONFIGS[family] | {"vocab_size": 384 + EXTRA_IDS.get(family, 0)}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert parameters(read_settings("x", tmp_path)) == sum(
        value.numel() for value in weights(config, pickled=False).values())


def test_the_number_of_parameters_of_t5_small(tmp_path: Path) -> None:
    """60,506,624, as is known of google-t5/t5-small; google/mt5-small has 300,176,768."""
    sizes = {"d_model": 512, "d_kv": 64, "decoder_start_token_id": 0}
    for config, count in (
        ({"model_type": "t5", "vocab_size": 32128, "num_layers": 6, "num_heads": 8, "d_ff": 2048}, 60_506_624),
        ({"model_type": "mt5", "vocab_size": 250112, "num_layers": 8, "num_heads": 6, "d_ff": 1024,
          "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, 300_176_768),
    ):
        (tmp_path / "config.json").write_text(json.dumps(sizes | config))
        assert parameters(read_settings("x", tmp_path)) == count
