"""A loaded backbone: frozen, whole, of the right type, on the right device."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from compt_core.backbones import best_device, find_backbone, load_backbone
from compt_core.errors import BackboneError

Change = Callable[..., None]


def test_a_loaded_backbone_is_frozen_and_in_eval_mode(tiny_t5: Path) -> None:
    loaded = load_backbone(find_backbone(str(tiny_t5)), "cpu")
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert not any(module.training for module in loaded.model.modules())
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert loaded.hidden == 24
    described = loaded.describe()
    assert described == {"id": str(tiny_t5), "hash": loaded.files.digest(),
                         "tokenizer": loaded.files.tokenizer_digest(), "device": "cpu", "dtype": "float32"}
    stored = load_file(tiny_t5 / "model.safetensors")
    assert torch.equal(loaded.model.shared.weight, stored["shared.weight"])


def test_half_precision_files_are_loaded_as_float32_on_the_cpu(copy: Path) -> None:
    weights = {name: value.half() for name, value in load_file(copy / "model.safetensors").items()}
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert load_backbone(find_backbone(str(copy)), "cpu").model.dtype == torch.float32


def test_lost_weights_are_an_error_and_not_made_up(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    lost = [name for name in weights if "decoder.block.0.layer.1" in name]
    kept = {name: value for name, value in weights.items() if name not in lost}
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError, match=rf"lacks {len(lost)} weights, the first of them '{min(lost)}'"):
        load_backbone(find_backbone(str(copy)), "cpu")


def test_weights_of_another_size_are_an_error(copy: Path, settings: Change) -> None:
    settings(copy, d_ff=41)
    with pytest.raises(BackboneError, match="cannot be loaded from"):
        load_backbone(find_backbone(str(copy)), "cpu")


def test_a_tokenizer_without_an_end_is_an_error(copy: Path) -> None:
    file = copy / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["eos_token"]
    file.write_text(json.dumps(config))
    with pytest.raises(BackboneError, match=r"must name an end token\. Got none"):
        load_backbone(find_backbone(str(copy)), "cpu")


@pytest.mark.parametrize(("cuda", "mps", "device"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_devices_are_tried_in_order(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == device


def test_threads_that_ask_at_once_get_one_backbone(tiny_t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from compt_core import experiment

    experiment._loaded.cache_clear()
    asked, load = [], experiment.load_backbone
    monkeypatch.setattr(experiment, "load_backbone", lambda *given: asked.append(given) or load(*given))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: experiment.shared_backbone(str(tiny_t5), "cpu"), range(8)))
    assert len(asked) == 1 and all(one is found[0] for one in found)
