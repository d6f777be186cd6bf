"""`backbone convert`: pickled weights of every published form become a backbone; hostile ones run nothing."""

from __future__ import annotations

import json
import os
import pickle
import runpy
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from published import CONFIGS, COPIES, HEAD, IDLE, TABLE, write
from stand_in import Hub

from compt_core.backbone import convert as conversion
from compt_core.backbone import unpickle
from compt_core.backbone.convert import convert
from compt_core.backbone.load import find_backbone, load_backbone
from compt_core.errors import BackboneError


@pytest.fixture(autouse=True)
def here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Reads the pickles in this process, since another one takes seconds to start; tests marked slow start it."""
    def run(source: Path, made: Path) -> tuple[int, str]:
        capsys.readouterr()
        unpickle.main(str(source), str(made))
        return 0, capsys.readouterr().out

    if not request.node.get_closest_marker("slow"):
        monkeypatch.setattr(conversion, "in_a_process", run)


def refused(ref: object, out: object) -> str:
    with pytest.raises(BackboneError) as caught:
        convert(str(ref), str(out))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def old(tmp_path: Path, spieces: dict[str, Path]) -> Path:
    """A T5 v1.1 with pickled weights, and nothing beside it."""
    return write(tmp_path / "in" / "old", "t5-v1_1", spieces["t5"], pickled=True)


@pytest.mark.parametrize("family", CONFIGS)
def test_each_family_becomes_what_it_was(family: str, tmp_path: Path, spieces: dict[str, Path]) -> None:
    pieces = None if family == "byt5" else spieces["mt5" if family == "mt5" else "t5"]
    old = write(tmp_path / "old", family, pieces, pickled=True, shards=2 if family == "t5" else 1)
    steps: list[str] = []
    files = convert(str(old), str(tmp_path / "new"), steps.append)
    assert len(steps) == 2 and files == find_backbone(str(tmp_path / "new"))
    stored = {name: value for file in old.glob("*.bin") for name, value in torch.load(file, weights_only=True).items()}
    loaded = load_backbone(files, "cpu").model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in stored.items() if name != IDLE)
    names = {file.name for file in (tmp_path / "new").iterdir()}
    weights = {"model.safetensors"} if family != "t5" else {
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}
    words = set() if family == "byt5" else {"tokenizer.json"}
    assert names == weights | words | {"config.json", "tokenizer_config.json"}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["new", "old"]


def test_tokens_stay_the_same(old: Path, tmp_path: Path, spieces: dict[str, Path]) -> None:
    new = load_backbone(convert(str(old), str(tmp_path / "new")), "cpu").tokenizer
    there = load_backbone(find_backbone(str(write(tmp_path / "safe", "t5-v1_1", spieces["t5"]))), "cpu").tokenizer
    texts = ["the quiet river", "naïve 猫", ""]
    assert new(texts)["input_ids"] == there(texts)["input_ids"]


def test_the_form_of_before_2020_is_read(old: Path, tmp_path: Path) -> None:
    named = torch.load(old / "pytorch_model.bin", weights_only=True)
    torch.save(named, old / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    model = load_backbone(convert(str(old), str(tmp_path / "new")), "cpu").model
    assert torch.equal(model.lm_head.weight, named[HEAD])


def test_weights_that_are_turned_parts_of_one_are_written_each(old: Path, tmp_path: Path) -> None:
    named = torch.load(old / "pytorch_model.bin", weights_only=True)
    at = "encoder.block.0.layer.0.SelfAttention"
    both = torch.cat([named[f"{at}.{part}.weight"].t() for part in "qk"], 1)
    wide = named[f"{at}.q.weight"].shape[0]
    parts = {f"{at}.q.weight": both[:, :wide].t(), f"{at}.k.weight": both[:, wide:].t()}
    torch.save(named | parts, old / "pytorch_model.bin")
    loaded = load_backbone(convert(str(old), str(tmp_path / "new")), "cpu").model.state_dict()
    assert all(torch.equal(loaded[name], named[name]) for name in parts)


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path, call: Any = None) -> None:
        self.call, self.words = call or os.system, (f"touch {file}",) if call is None else (str(file), "w")

    def __reduce__(self) -> Any:
        return self.call, self.words


@pytest.mark.parametrize("call", [None, open])
@pytest.mark.parametrize("form", ["zip", "plain", "old"])
def test_a_hostile_pickle_runs_nothing(form: str, call: Any, old: Path, tmp_path: Path) -> None:
    file, trace = old / "pytorch_model.bin", tmp_path / "ran"
    named = {TABLE: torch.zeros(2), "evil": Evil(trace, call)}
    if form == "plain":
        file.write_bytes(pickle.dumps(named))
    else:
        torch.save(named, file, _use_new_zipfile_serialization=form == "zip")
    message = refused(old, tmp_path / "new")
    assert f"The pickled weights of backbone '{old}' must hold tensors and nothing else. Got " in message or \
        "cannot be read: 'pytorch_model.bin' is broken" in message
    assert not trace.exists() and not (tmp_path / "new").exists()


@pytest.mark.slow
def test_another_process_reads_the_pickle(old: Path, tmp_path: Path) -> None:
    """And it ends well for a good one, and with a sentence for a hostile one and for none at all."""
    assert convert(str(old), str(tmp_path / "new")).hidden == 24
    torch.save({"evil": Evil(tmp_path / "ran")}, old / "pytorch_model.bin")
    assert "must hold tensors and nothing else" in refused(old, tmp_path / "other")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("code", "said", "says"), [
    (-9, "", "it was killed, perhaps for want of memory. Try"), (1, "", "its process failed."), (0, "", "said nothing"),
    (0, "[]", "said nothing")])
def test_a_process_that_ends_otherwise_is_one_sentence(
    code: int, said: str, says: str, old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "in_a_process", lambda source, made: (code, said))
    assert says in refused(old, tmp_path / "new")


def test_what_would_run_is_named(old: Path, tmp_path: Path) -> None:
    torch.save({"evil": Evil(tmp_path / "ran")}, old / "pytorch_model.bin")
    assert "Got 'posix.system' in 'pytorch_model.bin', which may run code; none was run. Do not use" in refused(
        old, tmp_path / "new")


@pytest.mark.parametrize(("made", "says"), [
    ([torch.zeros(2)], "must be a table of tensors by name. Got a list"),
    ({"state_dict": {TABLE: torch.zeros(2)}}, "Got 'state_dict' in 'pytorch_model.bin', which is none"),
    ({7: torch.zeros(2)}, "Got '7' in"),
    ({TABLE: torch.zeros(2, dtype=torch.int8)}, "Got 'shared.weight' as torch.int8; save the model unquantised"),
    ({TABLE: torch.zeros(2).to_sparse()}, "'shared.weight' in 'pytorch_model.bin' as a sparse or empty tensor; save"),
    ({TABLE: torch.zeros(2, device="meta")}, "must be stored in full. Got 'shared.weight'"),
    ({TABLE: torch.zeros(1, 1).expand(10**6, 10**6)}, "with more numbers than 'pytorch_model.bin' has bytes for"),
    ({}, "lacks"),
    ({TABLE: torch.zeros(2)}, "lacks"),
])
def test_what_is_no_checkpoint_is_one_sentence(made: object, says: str, old: Path, tmp_path: Path) -> None:
    torch.save(made, old / "pytorch_model.bin")
    assert says in refused(old, tmp_path / "new")
    assert not (tmp_path / "new").exists() and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"7", b"PK\x03\x04", b"\x80\x04."])
def test_a_broken_file_is_one_sentence(content: bytes, old: Path, tmp_path: Path) -> None:
    (old / "pytorch_model.bin").write_bytes(content)
    assert "cannot be read: 'pytorch_model.bin' is broken or no file of weights." in refused(old, tmp_path / "new")


def test_a_cut_off_zip_is_one_sentence(old: Path, tmp_path: Path) -> None:
    file = old / "pytorch_model.bin"
    with zipfile.ZipFile(file) as whole:
        assert whole.namelist()
    file.write_bytes(file.read_bytes()[:5000])
    assert "is broken or no file of weights" in refused(old, tmp_path / "new")


def test_numbers_that_are_not_finite_and_tables_that_differ_are_refused(old: Path, tmp_path: Path) -> None:
    named = torch.load(old / "pytorch_model.bin", weights_only=True)
    torch.save(named | {COPIES[0]: named[TABLE] + 1}, old / "pytorch_model.bin")
    assert "holds one table of words twice" in refused(old, tmp_path / "new")
    torch.save(named | {HEAD: named[HEAD] / 0}, old / "pytorch_model.bin")
    assert "must hold finite numbers" in refused(old, tmp_path / "new")


def test_a_missing_part_is_named(tmp_path: Path, spieces: dict[str, Path]) -> None:
    old = write(tmp_path / "old", "t5-v1_1", spieces["t5"], pickled=True, shards=3)
    (old / "pytorch_model-00002-of-00003.bin").unlink()
    assert "must all be there. Got no 'pytorch_model-00002-of-00003.bin'; copy" in refused(old, tmp_path / "new")


def test_only_a_new_or_an_empty_folder_is_written_to(old: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for out in ("", " ", "a\0b", tmp_path / "file", tmp_path / "full", tmp_path / "link", old):
        assert "must be new or empty, so that nothing is lost. Got " in refused(old, out)
    assert (tmp_path / "full" / "kept").read_text() == "kept"
    assert "cannot be written: " in refused(old, tmp_path / "file" / "x")
    (tmp_path / "empty").mkdir()
    assert convert(str(old), str(tmp_path / "empty")).folder == (tmp_path / "empty").resolve()
    assert convert(str(old), str(tmp_path / "a" / "b")).hidden == 24


@pytest.mark.parametrize(("ref", "says"), [("demo", "Only a folder or a hub id can be converted"),
                                           ("english", "Only a folder or a hub id can be converted"),
                                           ("../nowhere", "Only a folder or a hub id"), ("a\nb", "Only a folder")])
def test_what_cannot_be_converted_is_one_sentence(ref: str, says: str, tmp_path: Path) -> None:
    assert says in refused(ref, tmp_path / "new")


def test_safetensors_need_no_conversion(copy: Path, tmp_path: Path) -> None:
    assert "needs no conversion, for its weights are safetensors" in refused(copy, tmp_path / "new")
    (copy / "model.safetensors").unlink()
    assert "must hold its weights as pytorch_model.bin" in refused(copy, tmp_path / "new")


def test_a_hub_id_is_fetched_and_converted(local_hub: Hub, old: Path, tmp_path: Path, at: Callable[[int], None]
                                           ) -> None:
    local_hub.model.revisions = {"main": old}
    files = convert("lab/tiny", str(tmp_path / "new"))
    assert files.hidden == 24 and "pytorch_model.bin" in local_hub.fetched
    at(9)
    assert "could not be fetched from the hub: it cannot be reached." in refused("lab/tiny", tmp_path / "other")


def test_a_cache_named_by_a_path_from_here_is_found_by_the_other_process(
    local_hub: Hub, old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_hub.model.revisions = {"main": old}
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "cache")
    sources: list[Path] = []
    read = conversion.in_a_process

    def kept(source: Path, made: Path) -> tuple[int, str]:
        sources.append(source)
        return read(source, made)

    monkeypatch.setattr(conversion, "in_a_process", kept)
    convert("lab/tiny", str(tmp_path / "new"))
    assert len(sources) == 1 and sources[0].is_absolute() and tmp_path in sources[0].parents


def test_the_process_closes_the_second_lock_before_it_reads(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: list[Callable[[str, Any], None]] = []
    monkeypatch.setattr(sys, "addaudithook", hooks.append)
    monkeypatch.setattr(sys, "argv", ["unpickle", str(old), str(tmp_path)])
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it reads with an open lock") if not hooks else {})
    monkeypatch.delitem(sys.modules, "compt_core.backbone.unpickle")
    runpy.run_module("compt_core.backbone.unpickle", run_name="__main__")
    assert len(hooks) == 1
    with pytest.raises(PermissionError):
        hooks[0]("os.system", ())


def test_the_second_lock_is_closed() -> None:
    for event in ("subprocess.Popen", "os.system", "socket.connect", "os.posix_spawn", "os.exec"):
        with pytest.raises(PermissionError):
            unpickle._closed(event, ())
    unpickle._closed("open", ())


def test_the_index_names_every_weight(tmp_path: Path, spieces: dict[str, Path]) -> None:
    old = write(tmp_path / "old", "t5-v1_1", spieces["t5"], pickled=True, shards=2)
    convert(str(old), str(tmp_path / "new"))
    index = json.loads((tmp_path / "new" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == {f"model-0000{n}-of-00002.safetensors" for n in (1, 2)}
    assert len({TABLE, *COPIES} & index["weight_map"].keys()) == 1 and HEAD in index["weight_map"]
