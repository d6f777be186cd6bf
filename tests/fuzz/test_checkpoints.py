"""Checkpoints with something wrong in them: taken, or refused in one sentence and in time."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compt_core.backbone.files import check_contents, unknown_words
from compt_core.backbone.load import find_backbone, load_backbone
from compt_core.errors import BackboneError
from tests.fuzz.hunt import hunt

NAMES = ("config.json", "model.safetensors", "tokenizer.json", "model.safetensors.index.json", "tokenizer_config.json",
         "generation_config.json")
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 24, 10**4, 10**9, 10**19, 10**400, 0.5, -0.0, 1e308, 1e-320, float("nan"),
    float("inf"), "", "24", "relu", "gated-", "gated-gelu", "☃", "a" * 300, "\ud800", "../../x", "BF16", "I8", [], [1],
    [[]], {}, {"type": "Replace"}, {"type": "Sequence", "normalizers": []}, {"String": ""}, {"Regex": "(a+)+$"},
    {"Regex": "a*a*a*b"})
KEYS = ("num_layers", "d_model", "vocab_size", "num_heads", "d_kv", "d_ff", "num_decoder_layers", "feed_forward_proj",
        "tie_word_embeddings", "scale_decoder_outputs", "relative_attention_num_buckets", "dense_act_fn", "hidden_size",
        "relative_attention_max_distance", "layer_norm_epsilon", "dropout_rate", "decoder_start_token_id",
        "eos_token_id", "pad_token_id", "num_labels", "quantization_config", "torch_dtype", "auto_map", "is_decoder",
        "model_type")
STEPS: tuple[Any, ...] = (
    {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100},
    {"type": "Replace", "pattern": {"Regex": "[a-z]+|(x|y)*"}, "content": "b"},
    {"type": "Prepend", "prepend": "a" * 1000}, {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAA="},
    {"type": "NFKD"}, {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "ByteLevel"},
    {"type": "Split", "pattern": {"Regex": r"\s+"}, "behavior": "Removed", "invert": True},
    {"type": "Metaspace", "replacement": "☃", "prepend_scheme": "never", "split": False},
    {"type": "FixedLength", "length": 0},
    {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
     "lowercase": True})
Change = Callable[[random.Random, bytes], bytes]


def odd(dice: random.Random) -> Any:
    """One of ODD, as a copy: what is put into it must not be in the next one."""
    return copy.deepcopy(dice.choice(ODD))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places in a JSON value, a few of long lists."""
    found = [path]
    items: list[Any] = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, list):
        items = list(enumerate(value))
    for key, one in items[:40] + items[-2:]:
        found += _places(one, (*path, key))
    return found


def in_json(dice: random.Random, data: bytes) -> bytes:
    """Some values of a file become odd ones, are left out, or stand at another place as well."""
    root = {"": json.loads(data)}
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        path = dice.choice(_places(root))
        if not path:
            continue
        at: Any = root
        for key in path[:-1]:
            at = at[key]
        way = dice.random()
        if way < 0.1 and isinstance(at, dict) and path[-1] != "":
            del at[path[-1]]
        elif way < 0.2:
            at[path[-1]] = json.loads(json.dumps(_at(root, dice.choice(_places(root)))))
        else:
            at[path[-1]] = odd(dice)
    return json.dumps(root[""]).encode("utf-8", "surrogatepass")


def _at(root: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        root = root[key]
    return root


def a_setting(dice: random.Random, data: bytes) -> bytes:
    """Settings that make the model are odd."""
    changes = {dice.choice(KEYS): odd(dice) for _ in range(dice.choice((1, 1, 2)))}
    return json.dumps(json.loads(data) | changes).encode()


def a_step(dice: random.Random, data: bytes) -> bytes:
    """A tokenizer with other steps, one of them perhaps spoiled."""
    about = json.loads(data)
    part, inner = dice.choice((
        ("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers"), ("decoder", "decoders")))
    steps = [copy.deepcopy(dice.choice(STEPS)) for _ in range(dice.randint(1, 4))]
    if dice.random() < 0.5:
        step = dice.choice(steps)
        step[dice.choice(list(step))] = odd(dice)
    about[part] = steps[0] if len(steps) == 1 else {"type": "Sequence", inner: steps}
    return json.dumps(about).encode()


def in_bytes(dice: random.Random, data: bytes) -> bytes:
    """A file that was cut off, doubled, or lost some bytes on its way."""
    way, at = dice.randrange(5), dice.randrange(len(data))
    if way == 0:
        return data[:at]
    if way == 1:
        return data[at:] + data[:at]
    if way == 2:
        return data + data[:at]
    spoiled = bytearray(data)
    for _ in range(dice.choice((1, 3, 30))):
        spoiled[dice.randrange(len(data)) if way == 3 else dice.randrange(min(len(data), 200))] = dice.randrange(256)
    return bytes(spoiled)


def a_header(dice: random.Random, data: bytes) -> bytes:
    """A weight file whose header says something else of its weights."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    names = [name for name in header if name != "__metadata__"]
    whole = [dict(header[name]) for name in names]
    for _ in range(dice.choice((1, 1, 3))):
        name = dice.choice(names)
        if header.get(name) not in whole:
            continue
        way = dice.randrange(5)
        if way == 0:
            other = dice.choice(("lm_head.weight", "encoder.embed_tokens.weight", "shared.weight", dice.choice(names)))
            header[other] = header.pop(name)
        elif way == 1:
            header[name]["dtype"] = dice.choice(("F16", "BF16", "F64", "I32", "U8", "F8_E4M3", "F32", "X", 7))
        elif way == 2:
            turned = header[name]["shape"][::-1]
            header[name]["shape"] = dice.choice((turned, [], [10**9, 10**9], [0], [-1], "x", [2**63]))
        elif way == 3:
            another = list(dice.choice(whole)["data_offsets"])
            header[name]["data_offsets"] = dice.choice(([0, 10**12], [0], [5, 4], [-1, 4], another))
        else:
            header[name] = odd(dice)
    raw = json.dumps(header).encode("utf-8", "surrogatepass")
    said = dice.choice((len(raw),) * 8 + (len(raw) + 1, 2**40))
    return said.to_bytes(8, "little") + raw + data[8 + length:]


WAYS: dict[str, tuple[Change, ...]] = {
    "config.json": (a_setting, a_setting, in_json, in_bytes), "model.safetensors": (in_bytes, a_header, a_header),
    "tokenizer.json": (a_step, in_json, in_json, in_bytes)}


def make(whole: dict[str, bytes]) -> Callable[[random.Random], tuple[dict[str, bytes], bool]]:
    def spoiled(dice: random.Random) -> tuple[dict[str, bytes], bool]:
        """The files that are others than in the whole checkpoint, and whether its weights are loaded, which is slow."""
        files = {}
        for name in dice.sample(NAMES, dice.choice((1, 1, 1, 1, 2))):
            way = dice.choice(WAYS.get(name, (in_json, in_bytes)))
            files[name] = way(dice, whole[name])
        return files, dice.random() < 0.1

    return spoiled


@pytest.fixture
def spoiled(tiny_t5: Path, tmp_path: Path) -> Path:
    """The tiny T5 with an index beside its one file of weights."""
    folder = Path(shutil.copytree(tiny_t5, tmp_path / "t5"))
    (folder / NAMES[3]).write_text(json.dumps({"metadata": {}, "weight_map": {"shared.weight": "model.safetensors"}}))
    return folder


@pytest.fixture
def whole(spoiled: Path) -> dict[str, bytes]:
    return {name: (spoiled / name).read_bytes() for name in NAMES}


def test_checkpoints(whole: dict[str, bytes], spoiled: Path, capfd: pytest.CaptureFixture[str],
                     record_property: Callable[[str, object], None]) -> None:
    def act(given: tuple[dict[str, bytes], bool]) -> str:
        files, load = given
        for name, content in files.items():
            (spoiled / name).write_bytes(content)
        try:
            found = find_backbone(str(spoiled))
            check_contents(found)
            unknown_words(found, ["the river", "猫 \u0378", "a" * 300, "0.2"])
            if load:
                load_backbone(found, "cpu")
            return "taken"
        except BackboneError as error:
            said = str(error)
            assert said.isprintable() and said.endswith(".") and len(said) < 2000, said
            return "refused"
        finally:
            for name in files:
                (spoiled / name).write_bytes(whole[name])
            printed = capfd.readouterr()
            assert not printed.err and not printed.out, printed

    ends = hunt("checkpoints", make(whole), act, record_property)
    assert sum(ends.values()) < 100 or min(ends["taken"], ends["refused"]) > sum(ends.values()) // 20
