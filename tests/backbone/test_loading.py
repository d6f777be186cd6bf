"""A loaded backbone: frozen, whole, of the right type, on the right device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from compt_core.backbone import load as backbones
from compt_core.backbone.load import best_device, find_backbone, load_backbone
from compt_core.errors import BackboneError


def test_a_loaded_backbone_is_frozen_and_in_eval_mode(tiny_t5: Path) -> None:
    loaded = load_backbone(find_backbone(str(tiny_t5)), "cpu")
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert not any(module.training for module in loaded.model.modules())
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert loaded.hidden == 24
    described = loaded.describe()
    assert described == {"id": str(tiny_t5), "hash": loaded.files.digest(),
                         "device": "cpu", "dtype": "float32"}
    stored = load_file(tiny_t5 / "model.safetensors")
    assert torch.equal(loaded.model.shared.weight, stored["shared.weight"])


def test_half_precision_files_are_loaded_as_float32_on_the_cpu(copy: Path) -> None:
    weights = {name: value.half() for name, value in load_file(copy / "model.safetensors").items()}
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert load_backbone(find_backbone(str(copy)), "cpu").model.dtype == torch.float32


def test_what_is_loaded_stays_as_it_was_when_its_file_changes(copy: Path) -> None:
    loaded, file = load_backbone(find_backbone(str(copy)), "cpu"), copy / "model.safetensors"
    before, told = loaded.model.shared.weight.clone(), loaded.describe()["hash"]
    with file.open("r+b") as handle:  # in place, as `cp` writes over a file
        handle.write(bytes(file.stat().st_size))
    assert torch.equal(loaded.model.shared.weight, before)
    assert loaded.describe()["hash"] == told != loaded.files.digest()


def test_files_that_change_while_they_are_loaded_are_an_error(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = backbones._build

    def slow(*given: Any) -> Any:
        (copy / "tokenizer.json").write_bytes((copy / "tokenizer.json").read_bytes() + b" ")
        return build(*given)

    monkeypatch.setattr(backbones, "_build", slow)
    with pytest.raises(BackboneError, match="changed while it was being loaded"):
        load_backbone(find_backbone(str(copy)), "cpu")


@pytest.mark.parametrize(("cuda", "mps", "device"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_devices_are_tried_in_order(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == device
