"""Checkpoints on disk: what is found, and what is refused from the files alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from compt_core.backbone import hub
from compt_core.backbone.files import read_tokenizer, unknown_words
from compt_core.backbone.load import BackboneFiles, find_backbone

ROOT = Path(__file__).resolve().parents[2]
Problem = Callable[[object], str]
Change = Callable[..., None]


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


@pytest.mark.slow
def test_finding_loads_no_torch(tiny_t5: Path) -> None:
    code = ("import sys; from compt_core.backbone.load import find_backbone; from compt_core.backbone.files import "
            f"unknown_words; unknown_words(find_backbone({str(tiny_t5)!r}), ['positive']); "
            "print([m for m in ('torch', 'transformers') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_every_file_that_is_read_to_load_a_model_has_its_part_in_the_hash(copy: Path) -> None:
    """Nothing beside them has a say, whatever transformers would make of it."""
    for name in ("added_tokens.json", "special_tokens_map.json", "chat_template.jinja", "adapter_config.json"):
        (copy / name).write_text("{}")
    code = (f"import sys; seen, folder = set(), {str(copy)!r}; sys.addaudithook(lambda event, given: event == 'open' "
            "and str(given[0]).startswith(folder) and seen.add(str(given[0]).rpartition('/')[2]))\n"
            "from compt_core.backbone.load import find_backbone, load_backbone\n"
            f"files = find_backbone({str(copy)!r}); seen.clear(); load_backbone(files, 'cpu'); print(*sorted(seen))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    for name in sorted({*done.stdout.split(), "config.json", "tokenizer.json", "model.safetensors"}):
        before, file = BackboneFiles("x", copy, 1, 1, 1).digest(), copy / name
        kept = file.read_bytes()
        file.write_bytes(kept + b" ")
        assert BackboneFiles("x", copy, 1, 1, 1).digest() != before, name
        file.write_bytes(kept)


def test_the_bundled_backbone_is_that_of_the_bundled_runs() -> None:
    bundled = json.loads((ROOT / "assets" / "demo-runs" / "demo.json").read_text())
    assert bundled["versions"]["backbone"]["hash"] == find_backbone("demo").digest()


def test_the_digest_follows_weights_tokenizer_and_settings(copy: Path, tiny_t5: Path) -> None:
    same = find_backbone(str(copy)).digest()
    assert same == find_backbone(str(tiny_t5)).digest()
    seen = {same}
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        file = copy / name
        file.write_bytes(file.read_bytes() + b" ")
        seen.add(BackboneFiles("x", copy, 1, 1, 1).digest())
    assert len(seen) == 4
    (copy / "README.md").write_text("a word about it")
    assert BackboneFiles("x", copy, 1, 1, 1).digest() in seen


# --- refused


@pytest.mark.parametrize("ref", [
    "../nowhere", "/no/such/folder", "~/t5", "a/b/c", "a/..", "../../etc/passwd", ".x", "a b", "a/b\n", "-x", "x" * 97,
    "x" * 5000, "a\0b", "https://example.org/t5", "C:\\models\\t5", "hf://google-t5/t5-small", "\x1b[31m",
])
def test_what_is_neither_a_folder_nor_a_hub_id_is_refused_unasked(
    ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Problem
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "download", lambda ref: pytest.fail(f"the hub was asked for {ref!r}"))
    message = problem(ref)
    assert message.isprintable()
    assert len(message) < 500
    assert "Give " in message


def test_a_file_is_no_folder(tiny_t5: Path, problem: Problem) -> None:
    assert "is not a folder. Give 'demo', 'english', a folder with a T5" in problem(tiny_t5 / "model.safetensors")


def test_a_folder_without_a_config_is_no_checkpoint(tmp_path: Path, problem: Problem) -> None:
    assert f"has no readable config.json in '{tmp_path}'" in problem(tmp_path)
    for content in (b"", b"[]", b"{", b"\xff\xfe", b'"t5"', b"[" * 10_000):
        (tmp_path / "config.json").write_bytes(content)
        assert f"has no readable config.json in '{tmp_path}'" in problem(tmp_path)


@pytest.mark.parametrize("kind", ["bert", None, 7, ["t5"], "t" * 5000])
def test_another_kind_of_model_is_refused(copy: Path, kind: object, problem: Problem, settings: Change) -> None:
    settings(copy, model_type=kind, architectures=None)
    message = problem(copy)
    assert "must be of the T5 family (t5, mt5, umt5). Got model type " in message
    assert len(message) < 400 + len(str(copy))


@pytest.mark.parametrize("kind", ["mt5"])
def test_the_family_is_welcome(copy: Path, kind: str, settings: Change) -> None:
    settings(copy, model_type=kind)
    assert find_backbone(str(copy)).hidden == 24


@pytest.mark.parametrize("ending", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"])
def test_pickled_weights_are_never_loaded(copy: Path, ending: str, problem: Problem) -> None:
    (copy / "model.safetensors").rename(copy / ending)
    message = problem(copy)
    assert f"must hold its weights as .safetensors. Got only pickled weights ({ending}), which can run code" in message
    assert "convert them with 'python -m compt_core backbone convert" in message or "save_pretrained first." in message


def test_no_weights_are_no_checkpoint(copy: Path, problem: Problem) -> None:
    (copy / "model.safetensors").unlink()
    assert "must hold its weights as .safetensors. Got none;" in problem(copy)


@pytest.mark.parametrize("spoil", [
    lambda data: b"", lambda data: data[:100], lambda data: data[:-1], lambda data: b"\xff" * 64,
    lambda data: b"{}" + data,
])
def test_a_broken_weight_file_is_seen_before_anything_is_queued(
    copy: Path, spoil: Callable[[bytes], bytes], problem: Problem
) -> None:
    file = copy / "model.safetensors"
    file.write_bytes(spoil(file.read_bytes()))
    assert "The weight file 'model.safetensors' of backbone" in problem(copy)


def test_a_lost_part_of_split_weights_is_named(copy: Path, problem: Problem) -> None:
    index = copy / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}))
    assert "lacks the weight file 'model-00002-of-00002.safetensors', which its index names." in problem(copy)
    index.write_text("[]")
    assert "The file 'model.safetensors.index.json' of backbone" in problem(copy)


@pytest.mark.parametrize(("changes", "says"), [
    ({"d_model": None}, "must give d_model as a whole number from 1 to 2,147,483,647. Got none instead."),
    ({"d_model": True}, "Got True instead."),
    ({"d_model": 24.0}, "Got 24.0 instead."),
    ({"d_model": 10**9}, "must be 21 x 1,000,000,000, as its config.json says. Got 21 x 24 in 'model.safetensors'"),
    ({"d_model": 10**30}, "must give d_model as a whole number from 1 to 2,147,483,647. Got 1000"),
    ({"d_model": "24", "vocab_size": 0}, "Got '24' instead. It must give vocab_size as a whole number from 1 to 2,147,"
                                         "483,647. Got 0 instead. Save the model again"),
    ({"vocab_size": 50}, "The weight 'shared.weight' of backbone"),
    ({"vocab_size": 10**9}, "must be 1,000,000,000 x 24, as its config.json says. Got 140 x 24"),
    ({"num_layers": -1}, "must give num_layers as a whole number from 1 to 1,000. Got -1 instead"),
    ({"num_layers": 10_000}, "must give num_layers as a whole number from 1 to 1,000. Got 10000 instead"),
    ({"num_layers": 3}, "lacks 8 weights, the first of them 'encoder.block.2.layer.0.SelfAttention.k.weight'."),
    ({"num_layers": 1}, "holds 8 weights, the first of them 'encoder.block.1.layer.0.SelfAttention.k.weight', which"),
    ({"num_decoder_layers": 0}, "must give num_decoder_layers as a whole number from 1 to 1,000. Got 0 instead"),
    ({"num_heads": 0}, "must give num_heads as a whole number from 1 to 2,147,483,647. Got 0 instead"),
    ({"num_heads": 7}, "must be 49 x 24, as its config.json says. Got 21 x 24"),
    ({"num_heads": 7, "d_kv": 3}, "SelfAttention.relative_attention_bias.weight' of backbone"),
    ({"d_kv": 8}, "must be 24 x 24, as its config.json says. Got 21 x 24"),
    ({"d_ff": 41}, "DenseReluDense.wi.weight' of backbone"),
    ({"hidden_size": 25}, "must give one d_model, which is also called hidden_size. Got 24 and 25 instead."),
    ({"relative_attention_max_distance": 0}, "relative_attention_max_distance as a whole number from 1 to"),
    ({"relative_attention_max_distance": 16}, "relative_attention_max_distance as at least 17, one more than half"),
    ({"relative_attention_num_buckets": 0}, "relative_attention_num_buckets as a whole number from 4 to"),
    ({"relative_attention_num_buckets": 33}, "relative_attention_bias.weight' of backbone"),
    ({"dropout_rate": 1}, "must give dropout_rate as a number of at least 0 and below 1. Got 1 instead."),
    ({"dropout_rate": "0.1"}, "Got '0.1' instead."),
    ({"layer_norm_epsilon": 0}, "must give layer_norm_epsilon as a number above 0 and at most 1. Got 0 instead."),
    ({"layer_norm_epsilon": float("nan")}, "Got nan instead."),
    ({"feed_forward_proj": "foo", "dense_act_fn": "foo"}, "must give feed_forward_proj as one of relu, gelu,"),
    ({"feed_forward_proj": 7}, "must give feed_forward_proj as a word. Got 7 instead."),
    ({"feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu_new", "is_gated_act": True}, "lacks 6 weights,"),
    ({"dense_act_fn": "gelu"}, "must give dense_act_fn to match its feed_forward_proj 'relu' ('relu'). Got 'gelu'"),
    ({"tie_word_embeddings": 1}, "must give tie_word_embeddings as true or false. Got 1 instead."),
    ({"tie_word_embeddings": False}, "lacks the weight 'lm_head.weight'. Save the complete model"),
    ({"decoder_start_token_id": None}, "must name a decoder_start_token_id (0 for T5). Got none."),
    ({"decoder_start_token_id": True}, "must give decoder_start_token_id as a whole number from 0 to"),
    ({"decoder_start_token_id": 140}, "must give decoder_start_token_id below its vocab_size of 140. Got 140 instead."),
    ({"eos_token_id": 139}, "must have the end token that its config.json names (eos_token_id 139). Got no piece"),
    ({"eos_token_id": [1, 2]}, "must give eos_token_id as a whole number"),
])
def test_settings_that_do_not_fit_are_named(
    copy: Path, changes: dict[str, object], says: str, problem: Problem, settings: Change
) -> None:
    settings(copy, **changes)
    assert says in problem(copy)


# --- words


def test_unknown_words_are_those_without_pieces(tiny_t5: Path) -> None:
    files = find_backbone(str(tiny_t5))
    assert unknown_words(files, ["positive", "not_entailment", "0.2", "käse", "猫", ""]) == ["käse", "猫", ""]
    demo = find_backbone("demo")
    assert unknown_words(demo, ["true", "elephant", "alike"]) == ["elephant"]


def test_the_tokenizer_without_torch_cuts_as_the_loaded_one_does(backbone) -> None:
    light = read_tokenizer(backbone.files)
    for text in ("the old river opens", "not_entailment", "mrpc:", "0.2"):
        assert light.encode(text, add_special_tokens=False).ids == \
            backbone.tokenizer(text, add_special_tokens=False)["input_ids"]
