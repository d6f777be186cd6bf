"""The backbone `english`: found only where it was fetched, fetched whole or not at all, and never unasked."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from compt_core.backbone import english, onnx_weights, title_model
from compt_core.backbone.load import find_backbone
from compt_core.cli.main import main
from compt_core.errors import BackboneError, ComptError, DiskError

KNOWN = english.SHA256  # of the real wheel
WHEEL = f"{english.PACKAGE.replace('-', '_')}-{english.VERSION}-py3-none-any.whl"
WIDE, HEADS, KV, INNER, WORDS = 6, 2, 4, 10, 3200  # of a small model of the same kind
SMALL = {"d_model": WIDE, "num_heads": HEADS, "d_kv": KV, "d_ff": INNER, "vocab_size": WORDS}
IN_8_BITS = {3: ("<i1", 3), 2: ("<u1", 131)}  # type in a file -> (its numbers, a zero point)


def onnx_file(weights: dict[str, np.ndarray], kind: int = 3) -> bytes:
    """The content of an ONNX file: matrices in 8 bits of a `kind`, as the exporter writes them, vectors as float32."""
    model = onnx_weights._message()()
    for name, values in weights.items():
        add = model.graph.initializer.add
        if values.ndim == 1:
            add(name=name, dims=values.shape, data_type=1, raw_data=values.astype("<f4").tobytes())
            continue
        number, zero = IN_8_BITS[kind]
        scale = np.float32(abs(values).max() / 100)
        codes = np.round(values / scale + zero).astype(number)
        add(name=f"{name}_quantized", dims=values.shape, data_type=kind, raw_data=codes.tobytes())
        add(name=f"{name}_scale", data_type=1, float_data=[scale])
        add(name=f"{name}_zero_point", data_type=kind, int32_data=[zero])
    return bytes(model.SerializeToString())


def graphs() -> dict[str, dict[str, np.ndarray]]:
    """The weights of a small model's two graphs, under the exporter's names; its numbers do not begin at 1."""
    draw = np.random.default_rng(3)
    own, shapes = HEADS * KV, {"qkv": (WIDE, HEADS * KV), "wi": (WIDE, INNER)}
    found: dict[str, dict[str, np.ndarray]] = {}
    for side, start, attentions in (("encoder", "enc.", 1), ("decoder", "m.decoder.", 2)):
        products, weights = [], {f"{start}{title_model._BIAS}": (32, HEADS)}
        for block in range(title_model.LAYERS):
            products += [*[*[shapes["qkv"]] * 3, (own, WIDE)] * attentions, *[shapes["wi"]] * 2, (INNER, WIDE)]
            for layer in range(attentions + 1):
                weights[f"{start}block.{block}.layer.{layer}.layer_norm.weight"] = (WIDE,)
        weights[f"{start}final_layer_norm.weight"] = (WIDE,)
        weights["enc.embed_tokens.weight" if side == "encoder" else "m.shared.weight"] = (WORDS, WIDE)
        products += [(WIDE, WORDS)] if side == "decoder" else []
        weights |= {f"onnx::MatMul_{990 + i}": shape for i, shape in enumerate(products)}  # 1000 comes after 999
        found[side] = {name: draw.normal(size=shape).astype(np.float32) for name, shape in weights.items()}
    return found


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, tiny_t5: Path) -> Path:
    """A wheel like that of the package, with a small model and the tiny T5's tokenizer."""
    file = tmp_path_factory.mktemp("wheel") / WHEEL
    with zipfile.ZipFile(file, "w") as archive:
        for side, weights in graphs().items():
            archive.writestr(f"{title_model._DATA}{side}.onnx", onnx_file(weights))
        archive.writestr(f"{title_model._DATA}tokenizer.json", (tiny_t5 / "tokenizer.json").read_bytes())
        archive.writestr(f"{WHEEL.removesuffix('-py3-none-any.whl')}.dist-info/METADATA", "License-Expression: MIT\n")
    return file


@pytest.fixture
def pip(wheel: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A pip that copies this wheel, or says what `said` holds and fails; `calls` are its arguments."""
    state = SimpleNamespace(calls=[], said="", content=wheel.read_bytes(), seconds=0.0)

    def run(call: list[str], **how: object) -> subprocess.CompletedProcess[str]:
        state.calls.append(call)
        time.sleep(state.seconds)
        if state.said:
            return subprocess.CompletedProcess(call, 1, "", state.said)
        into = Path(call[call.index("--dest") + 1])
        into.mkdir()
        (into / WHEEL).write_bytes(state.content)
        return subprocess.CompletedProcess(call, 0, "", "")

    monkeypatch.setattr(english.subprocess, "run", run)
    monkeypatch.setattr(english, "SHA256", hashlib.sha256(state.content).hexdigest())
    monkeypatch.setattr(title_model, "CONFIG", title_model.CONFIG | SMALL)
    return state


def left(home: Path) -> list[str]:
    """What lies beside the backbone, but for the lock that processes take turns by."""
    return sorted(one.name for one in (home / "backbones").iterdir() if one.name != ".english.lock")


# --- finding


def test_where_it_is_not_one_sentence_says_how_to_fetch_it(pip: SimpleNamespace, home: Path) -> None:
    for fetch in (True, False):
        with pytest.raises(BackboneError, match="68 MB from PyPI") as caught:
            find_backbone("english", fetch=fetch)
        said = str(caught.value)
        assert "python -m compt_core backbone fetch english" in said and "Launch" in said
        assert str(home / "backbones" / "english") in said and "\n" not in said
    assert pip.calls == []


def test_it_is_found_where_it_was_fetched_whatever_folder_lies_here(
    pip: SimpleNamespace, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "english").mkdir()
    monkeypatch.chdir(tmp_path)
    words: list[str] = []
    place = english.fetch(words.append)
    files = find_backbone("english")
    assert place == files.folder == home / "backbones" / "english"
    assert (files.ref, files.hidden, files.vocabulary, files.layers) == ("english", WIDE, WORDS, 16)
    assert {one.name for one in place.iterdir()} == set(english.FILES)
    assert left(home) == ["english"]
    assert len(words) >= 4 and "68 MB" in words[0]
    assert "--no-deps" in pip.calls[0] and "--only-binary" in pip.calls[0]
    said = (place / "ORIGIN.txt").read_text()
    assert english.ORIGIN in said and KNOWN in said and "MIT" in (place / "METADATA").read_text()


def test_another_folder_can_keep_it(pip: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPT_ENGLISH", str(tmp_path / "cache" / "english"))
    assert english.fetch() == find_backbone("english").folder == tmp_path / "cache" / "english"


def test_its_origin_and_licences_are_told_of_it_alone() -> None:
    for word in ("flan-t5-small", "Apache-2.0", "GLUE", "8 bits", "titles", "traceforge-title-model 0.2.0", "MIT"):
        assert word in english.origin("english")
    assert english.origin("demo") == english.origin("google/flan-t5-small") == ""


# --- converting


def test_every_weight_comes_to_its_place(pip: SimpleNamespace) -> None:
    found, given = load_file(english.fetch() / "model.safetensors"), graphs()

    def near(name: str, values: np.ndarray) -> bool:  # 8 bits keep 200 steps
        return found[name].dtype == np.float32 and bool(abs(found[name] - values).max() <= abs(values).max() / 199)

    assert near("shared.weight", given["encoder"]["enc.embed_tokens.weight"])
    assert near("encoder.block.0.layer.0.SelfAttention.q.weight", given["encoder"]["onnx::MatMul_990"].T)
    assert near("encoder.block.1.layer.0.SelfAttention.o.weight", given["encoder"]["onnx::MatMul_1000"].T)
    assert near("encoder.block.7.layer.1.DenseReluDense.wo.weight", given["encoder"]["onnx::MatMul_1045"].T)
    assert near("decoder.block.0.layer.1.EncDecAttention.q.weight", given["decoder"]["onnx::MatMul_994"].T)
    assert near("decoder.block.7.layer.2.DenseReluDense.wo.weight", given["decoder"]["onnx::MatMul_1077"].T)
    assert near("lm_head.weight", given["decoder"]["onnx::MatMul_1078"].T)
    assert near("decoder.final_layer_norm.weight", given["decoder"]["m.decoder.final_layer_norm.weight"])
    assert near(f"decoder.{title_model._BIAS}", given["decoder"][f"m.decoder.{title_model._BIAS}"])


@pytest.mark.parametrize("kind", IN_8_BITS)
def test_weights_in_8_bits_are_read_with_scale_and_zero_point(kind: int) -> None:
    values = np.array([[0.5, -1.0, 0.25], [1.0, 0.0, -0.75]], dtype=np.float32)
    found = onnx_weights.read_weights(onnx_file({"matrix": values, "vector": values[0]}, kind))
    assert found["matrix"].shape == (2, 3) and abs(found["matrix"] - values).max() <= 0.005
    assert np.array_equal(found["vector"], values[0]) and set(found) == {"matrix", "vector"}


def test_what_is_no_onnx_file_or_has_other_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="ONNX"):
        onnx_weights.read_weights(b"\x0a\xff no message")
    model = onnx_weights._message()()
    model.graph.initializer.add(name="half", dims=[1], data_type=10, raw_data=b"\0\0")
    with pytest.raises(ValueError, match="half has type 10"):
        onnx_weights.read_weights(model.SerializeToString())


# --- when it goes wrong


@pytest.mark.parametrize(("said", "reason"), [
    ("WARNING: Retrying after connection broken by 'NewConnectionError'\nERROR: No matching distribution found for x",
     "PyPI cannot be reached"),
    ("ERROR: Could not find a version that satisfies the requirement x (from versions: none)", "does not have it"),
    ("/usr/bin/python: No module named pip", "has no pip"),
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "No space left"),
])
def test_a_failed_download_is_one_sentence_and_leaves_nothing(
    pip: SimpleNamespace, home: Path, capsys: pytest.CaptureFixture[str], said: str, reason: str
) -> None:
    pip.said = said
    assert main(["backbone", "fetch", "english"]) == 2
    out, err = capsys.readouterr()
    told = err.splitlines()[-1]
    assert out == "" and reason in told and "Check the network" in told and "Traceback" not in err
    assert left(home) == [] and not english.present()


def test_another_file_than_the_known_one_is_not_used(pip: SimpleNamespace, home: Path) -> None:
    pip.content += b" "
    with pytest.raises(BackboneError, match="sha256") as caught:
        english.fetch()
    assert english.SHA256 in str(caught.value) and hashlib.sha256(pip.content).hexdigest() in str(caught.value)
    assert left(home) == []


def test_an_interrupted_fetch_leaves_nothing_half(
    pip: SimpleNamespace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(words: str) -> None:
        if "Writing" in words:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        english.fetch(interrupted)
    assert left(home) == [] and not english.present()
    assert english.fetch().is_dir()


def test_a_damaged_one_is_made_again_and_a_whole_one_is_not(pip: SimpleNamespace) -> None:
    place = english.fetch()
    english.fetch()
    assert len(pip.calls) == 1
    weights = (place / "model.safetensors").read_bytes()
    (place / "model.safetensors").write_bytes(weights[:-9])
    english.fetch()
    assert len(pip.calls) == 2 and (place / "model.safetensors").read_bytes() == weights
    (place / "config.json").unlink()
    assert not english.present()
    english.fetch()
    assert len(pip.calls) == 3 and json.loads((place / "config.json").read_text())["d_model"] == WIDE


@pytest.mark.parametrize("names", [["thesis.txt"], ["ORIGIN.txt", "notes.txt"], ["config.json", "model.safetensors"]])
def test_a_folder_with_anything_else_in_it_is_left_alone(
    pip: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    for name in names:
        (place / name).write_text("kept")
    monkeypatch.setenv("COMPT_ENGLISH", str(place))
    with pytest.raises(BackboneError, match=r"so that nothing is lost\. Got ") as caught:
        english.fetch()
    assert str(place) in str(caught.value) and pip.calls == []
    assert {one.name: one.read_text() for one in place.iterdir()} == dict.fromkeys(names, "kept")
    for name in names:
        (place / name).unlink()
    assert english.fetch() == place and english.present()


def test_of_two_who_fetch_at_once_one_waits_for_the_other(pip: SimpleNamespace) -> None:
    pip.seconds = 0.3
    said: dict[str, list[str]] = {"a": [], "b": []}
    threads = [threading.Thread(target=english.fetch, args=(words.append,)) for words in said.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pip.calls) == 1 and english.present()
    assert sorted(words[0].startswith("Another process") for words in said.values()) == [False, True]


def test_a_disk_that_is_full_and_a_place_that_cannot_be_written_are_each_a_sentence(
    pip: SimpleNamespace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(english, "write_checkpoint", full)
        with pytest.raises(DiskError, match="Free some space"):
            english.fetch()
    assert left(home) == []
    (home / "file").write_text("")
    monkeypatch.setenv("COMPT_ENGLISH", str(home / "file" / "english"))
    with pytest.raises(ComptError, match=r"could not be written.* Set COMPT_ENGLISH to a folder"):
        english.fetch()


def test_the_command_says_where_it_is_and_where_it_comes_from(
    pip: SimpleNamespace, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backbone", "fetch", "english"]) == 0
    out, err = capsys.readouterr()
    assert str(home / "backbones" / "english") in out and english.ORIGIN in out
    assert "Downloading" in err


def test_the_help_of_a_group_is_named_where_its_words_are_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("backbone", "backbone fetch", "backbone get", "backbone fetch english x", "data", "run --foo"):
        assert main(words.split()) == 2
        err = capsys.readouterr().err
        group = " ".join(word for word in words.split()[:2] if word in ("backbone", "fetch", "data", "run"))
        assert f". See 'python -m compt_core {group} --help'." in err and len(err.splitlines()) == 1
