"""Checkpoints: what is refused from the files alone, what is loaded and how, and the hub."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import T5Config

from benchmarks import make_backbone
from compt_core import backbones
from compt_core.backbone_files import read_tokenizer, unknown_words
from compt_core.backbones import best_device, find_backbone, load_backbone
from compt_core.errors import BackboneError

ROOT = Path(__file__).resolve().parent.parent
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def copy(tiny_t5: Path, tmp_path: Path) -> Path:
    """A copy of the tiny T5 to spoil."""
    return Path(shutil.copytree(tiny_t5, tmp_path / "t5"))


def settings(folder: Path, **changes: object) -> None:
    """Change config.json; None removes a line."""
    file = folder / "config.json"
    config = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


def problem(ref: object) -> str:
    with pytest.raises(BackboneError) as caught:
        find_backbone(str(ref))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- found


def test_a_folder_is_found_with_its_sizes(tiny_t5: Path) -> None:
    files = find_backbone(str(tiny_t5))
    config = json.loads((tiny_t5 / "config.json").read_text())
    assert (files.hidden, files.vocabulary, files.layers) == (24, config["vocab_size"], 3)
    assert (files.ref, files.folder) == (str(tiny_t5), tiny_t5.resolve())


def test_demo_is_the_bundled_one_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_backbone("demo").folder == ROOT / "assets" / "demo-t5"


def test_a_relative_folder_is_found(tiny_t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_t5.parent)
    assert find_backbone(tiny_t5.name).folder == find_backbone(f"./{tiny_t5.name}").folder == tiny_t5.resolve()


def test_finding_loads_no_torch(tiny_t5: Path) -> None:
    code = ("import sys; from compt_core.backbones import find_backbone; from compt_core.backbone_files import "
            f"unknown_words; unknown_words(find_backbone({str(tiny_t5)!r}), ['positive']); "
            "print([m for m in ('torch', 'transformers') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_digest_follows_weights_tokenizer_and_settings(copy: Path, tiny_t5: Path) -> None:
    same = find_backbone(str(copy)).digest()
    assert same == find_backbone(str(tiny_t5)).digest()
    seen = {same}
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        file = copy / name
        file.write_bytes(file.read_bytes() + b" ")
        seen.add(backbones.BackboneFiles("x", copy, 1, 1, 1).digest())
    assert len(seen) == 4
    (copy / "README.md").write_text("a word about it")
    assert backbones.BackboneFiles("x", copy, 1, 1, 1).digest() in seen


# --- refused from the files alone


@pytest.mark.parametrize("ref", [
    "../nowhere", "/no/such/folder", "~/t5", "a/b/c", "a/..", "../../etc/passwd", ".x", "a b", "a/b\n", "-x", "x" * 97,
    "x" * 5000, "a\0b", "https://example.org/t5", "C:\\models\\t5", "hf://google-t5/t5-small", "\x1b[31m",
])
def test_what_is_neither_a_folder_nor_a_hub_id_is_refused_unasked(
    ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backbones, "_download", lambda ref: pytest.fail(f"the hub was asked for {ref!r}"))
    message = problem(ref)
    assert message.isprintable()
    assert len(message) < 500
    assert "Give " in message


def test_a_file_is_no_folder(tiny_t5: Path) -> None:
    assert "is no folder. Give 'demo', a folder with a T5" in problem(tiny_t5 / "model.safetensors")


def test_a_folder_without_a_config_is_no_checkpoint(tmp_path: Path) -> None:
    assert f"has no readable config.json in '{tmp_path}'" in problem(tmp_path)
    for content in (b"", b"[]", b"{", b"\xff\xfe", b'"t5"', b"[" * 10_000):
        (tmp_path / "config.json").write_bytes(content)
        assert f"has no readable config.json in '{tmp_path}'" in problem(tmp_path)


@pytest.mark.parametrize("kind", ["bert", None, 7, ["t5"], "t" * 5000])
def test_another_kind_of_model_is_refused(copy: Path, kind: object) -> None:
    settings(copy, model_type=kind)
    message = problem(copy)
    assert "must be of the T5 family (t5, mt5, umt5). Got model type " in message
    assert len(message) < 400 + len(str(copy))


@pytest.mark.parametrize("kind", ["mt5", "umt5"])
def test_the_family_is_welcome(copy: Path, kind: str) -> None:
    settings(copy, model_type=kind)
    assert find_backbone(str(copy)).hidden == 24


@pytest.mark.parametrize("ending", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"])
def test_pickled_weights_are_never_loaded(copy: Path, ending: str) -> None:
    (copy / "model.safetensors").rename(copy / ending)
    message = problem(copy)
    assert f"must hold its weights as .safetensors. Got only pickled weights ({ending}), which can run code" in message
    assert "convert them with save_pretrained first." in message


def test_no_weights_are_no_checkpoint(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    assert "must hold its weights as .safetensors. Got none;" in problem(copy)


@pytest.mark.parametrize("spoil", [
    lambda data: b"", lambda data: data[:100], lambda data: data[:-1], lambda data: b"\xff" * 64,
    lambda data: b"{}" + data,
])
def test_a_broken_weight_file_is_seen_before_anything_is_queued(copy: Path, spoil: Callable[[bytes], bytes]) -> None:
    file = copy / "model.safetensors"
    file.write_bytes(spoil(file.read_bytes()))
    assert "The weight file 'model.safetensors' of backbone" in problem(copy)


def test_a_lost_part_of_split_weights_is_named(copy: Path) -> None:
    index = copy / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}))
    assert "lacks the weight file 'model-00002-of-00002.safetensors', which its index names." in problem(copy)
    index.write_text("[]")
    assert "The file 'model.safetensors.index.json' of backbone" in problem(copy)


@pytest.mark.parametrize(("changes", "says"), [
    ({"d_model": None}, "must give d_model as a whole number. Got None instead"),
    ({"d_model": "24", "vocab_size": 0}, "must give d_model and vocab_size as a whole number. Got '24' instead"),
    ({"num_layers": -1}, "must give num_layers as a whole number. Got -1 instead"),
    ({"decoder_start_token_id": None}, "must name a decoder_start_token_id (0 for T5). Got none"),
    ({"vocab_size": 50}, "more than the model's vocabulary of 50. Give the tokenizer that belongs to it."),
])
def test_settings_that_do_not_fit_are_named(copy: Path, changes: dict[str, object], says: str) -> None:
    settings(copy, **changes)
    assert says in problem(copy)


def test_a_checkpoint_needs_a_readable_tokenizer(copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{}")
    assert "The tokenizer.json of backbone" in problem(copy)
    (copy / "tokenizer.json").unlink()
    assert f"has no tokenizer.json in '{copy}'" in problem(copy)


# --- words


def test_unknown_words_are_those_without_pieces(tiny_t5: Path) -> None:
    files = find_backbone(str(tiny_t5))
    assert unknown_words(files, ["positive", "not_entailment", "0.2", "käse", "猫", ""]) == ["käse", "猫", ""]
    demo = find_backbone("demo")
    assert unknown_words(demo, ["true", "entailment", "alike"]) == ["entailment"]


def test_the_tokenizer_without_torch_cuts_as_the_loaded_one_does(backbone) -> None:
    light = read_tokenizer(backbone.files)
    for text in ("the old river opens", "not_entailment", "mrpc:", "0.2"):
        assert light.encode(text, add_special_tokens=False).ids == \
            backbone.tokenizer(text, add_special_tokens=False)["input_ids"]


# --- loaded


def test_a_loaded_backbone_is_frozen_and_in_eval_mode(tiny_t5: Path) -> None:
    loaded = load_backbone(find_backbone(str(tiny_t5)), "cpu")
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert not any(module.training for module in loaded.model.modules())
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert loaded.hidden == 24
    described = loaded.describe()
    assert described == {"id": str(tiny_t5), "hash": loaded.files.digest(), "device": "cpu", "dtype": "float32"}
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


def test_weights_of_another_size_are_an_error(copy: Path) -> None:
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


# --- the hub


class Hub(ThreadingHTTPServer):
    """The few answers of the hub that a download needs, for one model "lab/tiny" with the files of `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetched: list[str] = []
        super().__init__(("127.0.0.1", 0), _Answers)


class _Answers(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        files = sorted(self.server.folder.iterdir())
        path = self.path.partition("?")[0]
        name = path.rpartition("/")[2]
        if path in ("/api/models/lab/tiny", "/api/models/lab/tiny/revision/main"):
            self._json({"id": "lab/tiny", "sha": SHA, "siblings": [{"rfilename": file.name} for file in files]})
        elif path.startswith(f"/api/models/lab/tiny/tree/{SHA}"):
            self._json([{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": f.name} for f in files])
        elif path.startswith(f"/lab/tiny/resolve/{SHA}/") and (self.server.folder / name).is_file():
            if self.command == "GET":
                self.server.fetched.append(name)
            self._send((self.server.folder / name).read_bytes(), {"ETag": f'"{name}"', "X-Repo-Commit": SHA})
        else:
            self._send(b"", {"X-Error-Code": "RepoNotFound"}, 404)

    do_HEAD = do_GET

    def _json(self, value: object) -> None:
        self._send(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing on stderr."""


@pytest.fixture
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The hub's client as it is outside of tests, with an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def at(online: pytest.MonkeyPatch, port: int) -> None:
    """Puts the hub at a port of this machine."""
    online.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
    online.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
                   f"http://127.0.0.1:{port}/{{repo_id}}/resolve/{{revision}}/{{filename}}")


@pytest.fixture
def local_hub(copy: Path, online: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine that holds the tiny T5 with, beside it, pickled weights and code."""
    (copy / "pytorch_model.bin").write_bytes(b"pickle")
    (copy / "modeling.py").write_text("raise SystemExit('code of a checkpoint ran')")
    with Hub(copy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        at(online, server.server_port)
        yield server
        server.shutdown()
        thread.join()


def test_a_hub_id_is_downloaded_once_without_pickles_and_code(local_hub: Hub, online: pytest.MonkeyPatch) -> None:
    files = find_backbone("lab/tiny")
    assert files.hidden == 24
    assert {file.name for file in files.folder.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert load_backbone(files, "cpu").hidden == 24
    fetched = list(local_hub.fetched)
    assert find_backbone("lab/tiny") == files
    assert local_hub.fetched == fetched
    at(online, 9)  # where nobody answers
    assert find_backbone("lab/tiny") == files
    online.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert find_backbone("lab/tiny") == files


def test_a_model_that_the_hub_does_not_have_is_one_sentence(local_hub: Hub) -> None:
    assert problem("lab/other") == "The hub has no public model 'lab/other'. Check the id, or give a local folder."
    assert problem("dmeo").endswith("Check the id, or give a local folder. Did you mean 'demo'?")


def test_a_hub_model_without_safetensors_is_refused(local_hub: Hub) -> None:
    (local_hub.folder / "model.safetensors").unlink()
    assert "must hold its weights as .safetensors. Got none;" in problem("lab/tiny")


def test_a_hub_that_refuses_is_one_sentence_at_once(online: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at(online, free.getsockname()[1])
        start = time.monotonic()
        message = problem("lab/tiny")
    assert time.monotonic() - start < 5
    assert message == ("The backbone 'lab/tiny' is no local folder and could not be fetched from the hub: it cannot be "
                       "reached. Check the network, or download it elsewhere and give its folder.")


def test_a_hub_that_never_answers_is_given_up(online: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at(online, silent.getsockname()[1])
        online.setattr(backbones, "HUB_SECONDS", 0.2)
        assert "it cannot be reached" in problem("lab/tiny")


def test_offline_by_choice_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert "could not be fetched from the hub: HF_HUB_OFFLINE is set." in problem("lab/tiny")


# --- the script that makes one


def test_a_backbone_is_made_from_a_tokenizer(
    tiny_t5: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_backbone.main([str(tiny_t5), str(tmp_path / "one"), "--size", "tiny", "--d-model", "20", "--seed", "5"])
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'one'}: hidden size 20, 3 layers, vocabulary of 256\n"
    assert err == ""
    loaded = load_backbone(find_backbone(str(tmp_path / "one")), "cpu")
    assert loaded.model.config.decoder_start_token_id == 0
    assert loaded.model.config.d_ff == 64
    assert loaded.tokenizer("the river")["input_ids"][-1] == loaded.tokenizer.eos_token_id


def test_equal_seeds_make_equal_backbones(tiny_t5: Path, tmp_path: Path) -> None:
    sizes = make_backbone.SIZES["tiny"]
    one, two, other = (make_backbone.make_backbone(tiny_t5, tmp_path / name, seed=seed, **sizes)
                       for name, seed in (("one", 3), ("two", 3), ("other", 4)))
    assert one.digest() == two.digest() != other.digest()
    assert one.folder == tmp_path / "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other", "two"]


def test_the_small_size_is_that_of_t5_small() -> None:
    small = make_backbone.SIZES["small"]
    assert small == {name: getattr(T5Config(), name) for name in small}


@pytest.mark.parametrize(("arguments", "says"), [
    ((), "the following arguments are required: TOKENIZER_DIR, OUT_DIR"),
    (("TOKENIZER", "OUT", "--size", "huge"), "invalid choice: 'huge'"),
    (("TOKENIZER", "OUT", "--d-ff", "0"), "argument --d-ff: must be a whole number above 0. Got '0' instead"),
    (("TOKENIZER", "OUT", "--speed", "3"), "unrecognized arguments: --speed 3"),
    (("EMPTY", "OUT"), "has no tokenizer.json. Give one that a fast tokenizer's save_pretrained wrote."),
    (("TOKENIZER", "TOKENIZER"), "is there already. Give a new one, or remove it."),
])
def test_bad_input_of_the_script_is_one_line(
    tiny_t5: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"TOKENIZER": str(tiny_t5), "OUT": str(tmp_path / "out"), "EMPTY": str(tmp_path / "empty")}
    with pytest.raises(SystemExit) as left:
        make_backbone.main([places.get(word, word) for word in arguments])
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_script_runs_from_anywhere(tmp_path: Path) -> None:
    script = ROOT / "benchmarks" / "make_backbone.py"
    done = subprocess.run([sys.executable, script, "--help"], cwd=tmp_path, text=True, capture_output=True, check=True)
    assert "TOKENIZER_DIR OUT_DIR" in done.stdout
