"""Prompts out of files that anybody may have made: what is read, and that all else is one sentence."""

import io
import json
import re
import struct
import tracemalloc
import warnings
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from compt_core.errors import DataError
from compt_core.prompts import foreign as imported

H = 6
PROMPT = np.random.default_rng(2).normal(size=(3, H))


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), **options)
    return file.getvalue()


def header(text, body=b"", version=1):
    """An .npy file with any text as its header."""
    text = text.encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + body


def refused(name, data, hidden=H):
    with pytest.raises(DataError) as caught:
        imported.read(name, data, hidden)
    said = str(caught.value)
    assert len(said.splitlines()) == 1 and len(said) < 500 and re.search(r"[.!]$", said), said
    return said


@pytest.mark.parametrize(("scale", "kind"), [*((scale, kind) for scale in (1, 700, 1e-5, 1e20)
                                               for kind in ("<f4", "<f8", ">f4")), (1, "<f2"), (700, "<f2")])
def test_prompts_of_any_scale_and_byte_order_are_read(scale, kind):
    array = (PROMPT * scale).astype(kind)
    for data in (npy(array), npy(np.asfortranarray(array)), npy(array, version=(2, 0))):
        (name, read), = imported.read("mine.NPY", data, H).items()
        assert name == "prompt" and read.dtype == np.float64
        np.testing.assert_array_equal(read, array)


def test_several_prompts_are_numbered_and_whole_numbers_are_numbers():
    found = imported.read("x.npy", npy(np.arange(2 * 3 * H).reshape(2, 3, H)), H)
    assert list(found) == ["0", "1"] and found["1"][0, 0] == 3 * H
    both = imported.read("x.safetensors", save({"b": PROMPT, "a": np.stack([PROMPT, 2 * PROMPT]),
                                               "c": PROMPT[None].astype(np.float16)}), H)
    assert list(both) == ["a 0", "a 1", "b", "c"] and np.array_equal(both["a 1"], 2 * PROMPT)


def test_names_that_meet_are_numbered_and_no_prompt_is_lost():
    found = imported.read("x.safetensors", save({"a": np.stack([PROMPT, 2 * PROMPT]), "a 0": 3 * PROMPT,
                                                "a 0 (2)": 4 * PROMPT}), H)
    assert list(found) == ["a 0", "a 1", "a 0 (2)", "a 0 (2) (2)"]
    assert [one[0, 0] / PROMPT[0, 0] for one in found.values()] == pytest.approx([1, 2, 3, 4])
    assert imported.numbered(["a", "a (2)", "a", "a"]) == ["a", "a (2)", "a (3)", "a (4)"]


def test_of_a_checkpoint_of_peft_or_of_a_run_the_prompts_alone_are_taken():
    peft = save({"prompt_embeddings": PROMPT.astype(np.float32), "base_model.weight": np.zeros((4, 4, 4, 4))})
    assert list(imported.read("adapter_model.safetensors", peft, H)) == ["prompt_embeddings"]
    run = save({"composed": np.stack([PROMPT] * 2), "attention.logits": np.zeros((2, 9)), "source": PROMPT[None]})
    assert list(imported.read("prompts.safetensors", run, H)) == ["composed 0", "composed 1"]


# --- adapters as peft writes them


@pytest.fixture(scope="module")
def adapters(tiny_t5, tmp_path_factory):
    """Kind -> folder of an adapter for the tiny T5, written by peft itself; what it gives its model's encoder."""
    import peft
    import torch
    from transformers import AutoModelForSeq2SeqLM

    warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for an old name; pytest resets this
    root, given = tmp_path_factory.mktemp("peft"), {}
    shared = {"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 4}
    several = {"num_tasks": 3, "num_ranks": 2}
    kinds = {
        "default": peft.PromptTuningConfig(**shared),
        "encoder": peft.PromptTuningConfig(**shared, num_transformer_submodules=1),
        "p_tuning": peft.PromptEncoderConfig(**shared, encoder_hidden_size=8),
        "multitask": peft.MultitaskPromptTuningConfig(**shared, **several),
        "multitask encoder": peft.MultitaskPromptTuningConfig(**shared, **several, num_transformer_submodules=1),
        "lora": peft.LoraConfig(task_type="SEQ_2_SEQ_LM", r=2, target_modules=["q"]),
    }
    for kind, config in kinds.items():
        torch.manual_seed(len(given))
        model = peft.get_peft_model(AutoModelForSeq2SeqLM.from_pretrained(tiny_t5), config)
        model.save_pretrained(root / kind)
        if kind != "lora":
            tasks = [torch.tensor([k]) for k in range(3)] if kind.startswith("multitask") else [None]
            with torch.no_grad():
                given[kind] = [model.get_prompt(1, task_ids=task)[0, :4].double().numpy() for task in tasks]
    return root, given


def files_of(folder):
    return (folder / "adapter_model.safetensors").read_bytes(), (folder / "adapter_config.json").read_bytes()


@pytest.mark.parametrize("kind", ["default", "encoder", "p_tuning", "multitask", "multitask encoder"])
def test_an_adapter_of_peft_gives_what_its_encoder_gets(adapters, tiny_t5, kind):
    root, given = adapters
    data, config = files_of(root / kind)
    found = imported.read("adapter_model.safetensors", data, 24, config, notes := [])
    assert list(found) == (["task 0", "task 1", "task 2"] if kind.startswith("multitask") else ["prompt_embeddings"])
    for ours, theirs in zip(found.values(), given[kind], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-9)
    said = " ".join(notes)
    assert ("the first 4 of its 8 vectors are used" in said) == (not kind.endswith("encoder"))
    assert ("composed for each of its 3 tasks" in said) == kind.startswith("multitask")
    assert imported.origin(data, config) == {"id": str(tiny_t5)}


def test_without_its_configuration_the_halves_of_an_adapter_cannot_be_told_and_it_is_said(adapters):
    root, given = adapters
    (whole,) = imported.read("a.safetensors", files_of(root / "default")[0], 24, None, notes := []).values()
    assert whole.shape == (8, 24) and "Without that file all 8 are taken as one prompt" in notes[0]
    composed = imported.read("a.safetensors", files_of(root / "multitask")[0], 24, None, notes)
    assert [one.shape for one in composed.values()] == [(8, 24)] * 3
    np.testing.assert_allclose(composed["task 2"][:4], given["multitask"][2], rtol=1e-4, atol=1e-9)
    assert imported.read("a.safetensors", save({"prompt_embeddings": PROMPT}), H, None, odd := []) and not odd
    assert imported.origin(files_of(root / "default")[0]) == imported.origin(npy(PROMPT)) == imported.origin(b"") == {}


@pytest.mark.parametrize(("change", "said"), [
    ({"num_virtual_tokens": 3},
     "'x.safetensors' has 8 vectors, but its adapter_config.json says 3 for each of the model's parts (2)"),
    ({"num_virtual_tokens": True}, "num_virtual_tokens as a whole number"), ({"num_virtual_tokens": "4"}, "Got '4'"),
    ({"num_virtual_tokens": 10**400}, "from 1 to 1,024"), ({"num_transformer_submodules": 3}, "as 1 or 2"),
    ({"peft_type": "MULTITASK_PROMPT_TUNING"}, "says several tasks"), ({"peft_type": "PREFIX_TUNING"}, "PREFIX_TUNING"),
    ({"peft_type": ["PROMPT_TUNING"]}, "must be for a prompt"), ({"num_virtual_tokens": None}, "Got None and 2"),
])
def test_a_configuration_that_does_not_fit_is_one_sentence(adapters, change, said):
    data, config = files_of(adapters[0] / "default")
    changed = json.dumps(json.loads(config) | change).encode()
    with pytest.raises(DataError) as caught:
        imported.read("x.safetensors", data, 24, changed)
    assert said in str(caught.value) and len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 500


@pytest.mark.parametrize("config", [b"", b"[]", b"{}", b"\xff\xfe{", b"[" * 90_000, b" " * 100_001, b"null"])
def test_what_is_no_configuration_is_one_sentence(adapters, config):
    with pytest.raises(DataError, match=r"must be the one that peft wrote next to the prompt"):
        imported.read("x.safetensors", files_of(adapters[0] / "default")[0], 24, config)


def test_a_configuration_belongs_to_a_file_of_peft_and_a_lora_is_no_prompt(adapters):
    _, config = files_of(adapters[0] / "default")
    for name, data in (("x.npy", npy(PROMPT)), ("x.safetensors", save({"p": PROMPT}))):
        with pytest.raises(DataError, match="has no prompt_embeddings, but an"):
            imported.read(name, data, H, config)
    with pytest.raises(DataError, match="Got 'LORA', which holds no input embeddings"):
        imported.read("x.safetensors", *[(files_of(adapters[0] / "lora"))[0], 24, files_of(adapters[0] / "lora")[1]])


@pytest.mark.parametrize(("columns", "rows", "said"), [
    (np.ones((2, 3, 4)), None, "needs both"), (np.ones((2, 3, 4)), np.ones((2, 5, H)), "Got [2, 3, 4] and [2, 5, 6]"),
    (np.ones((2, 4, 4)), np.ones((2, 4, H)), "that fit its prompt_embeddings [3, 6]"),
    (np.ones((2, 3, 4)), np.ones((3, 4, H)), "Got"), (np.ones((3, 4)), np.ones((4, H)), "Got [3, 4] and [4, 6]"),
    (np.ones((25, 3, 1)), np.ones((25, 1, H)), "at most 24 tasks"),
    (np.full((2, 3, 4), 1e300), np.ones((2, 4, H)), "must hold finite numbers"),
    (np.full((2, 3, 4), 1e20), np.full((2, 4, H), 1e20), "must hold finite numbers"),
])
def test_factors_of_tasks_that_do_not_fit_are_one_sentence(columns, rows, said):
    tensors = {"prompt_embeddings": PROMPT, "prefix_task_cols": columns, "prefix_task_rows": rows}
    data = save({name: one for name, one in tensors.items() if one is not None})
    assert said in refused("x.safetensors", data)


def test_composing_many_tasks_never_fills_the_memory():
    wide = np.zeros((1000, 700), dtype=np.float16)
    data = save({"prompt_embeddings": wide, "prefix_task_cols": np.zeros((24, 1000, 1), dtype=np.float16),
                 "prefix_task_rows": np.zeros((24, 1, 700), dtype=np.float16)})
    tracemalloc.start()
    assert "Got 24 prompts of 1000 x 700 numbers" in refused("x.safetensors", data, 700)
    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()


def test_bfloat16_is_read():
    import torch
    from safetensors.torch import save as save_torch

    own = torch.from_numpy(PROMPT * 700).to(torch.bfloat16)
    np.testing.assert_array_equal(imported.read("x.safetensors", save_torch({"p": own}), H)["p"], own.double().numpy())


def test_what_numpy_and_peft_write_themselves(tmp_path):
    np.save(tmp_path / "p.npy", PROMPT)
    assert np.array_equal(imported.read("p.npy", (tmp_path / "p.npy").read_bytes(), H)["prompt"], PROMPT)


@pytest.mark.parametrize("name", ["x.npz", "x.pt", "x", "npy", "x.npy.exe", "", "<b>.bin", "\n.csv"])
def test_other_endings_are_refused(name):
    assert "must end in .npy or .safetensors" in refused(name, npy(PROMPT))


def test_files_that_are_not_what_they_say():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.npy", npy(PROMPT))
    for data in (b"", b"\x93NUMPY", archive.getvalue(), b"PK\x03\x04", npy(PROMPT)[:40], b"\x80\x04K\x01.",
                 npy(PROMPT, version=(2, 0)).replace(b"\x02\x00", b"\x07\x00", 1)):
        assert "is no array of numpy's format" in refused("x.npy", data)
        assert "is no file of safetensors" in refused("x.safetensors", data)
    assert "is no file of safetensors" in refused("x.safetensors", npy(PROMPT))


def test_objects_are_never_unpickled():
    class Bomb:
        def __reduce__(self):
            raise AssertionError("unpickled")  # pragma: no cover

    body = b"cposix\nsystem\n(S'touch /tmp/owned'\ntR."
    bomb = header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", body)
    assert "must hold real numbers" in refused("x.npy", bomb)


@pytest.mark.parametrize("array", [np.array(["a" * H] * 3), np.zeros((3, H), dtype=complex),
                                   np.zeros((3, H), dtype=bool), np.zeros((3, H), dtype="M8[s]"),
                                   np.zeros(3, dtype=[("a", "f4"), ("b", "f4")])])
def test_what_is_no_number_is_refused(array):
    assert "must hold real numbers" in refused("x.npy", npy(array))


@pytest.mark.parametrize("shape", ["(10**12, 6)", "(1000000000000, 6)", "(3, 5)", "(-3, -6)", "(3, 7)", "(2**70, 6)",
                                   "(3.0, 6)", "'x'", "(3, 6), 'more': 1", f"({'9' * 4000}, 6)"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_header_that_lies_is_refused_before_any_array_is_made(shape, version):
    data = header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}", PROMPT.tobytes(), version)
    tracemalloc.start()
    said = refused("x.npy", data)
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()
    assert any(part in said for part in ("bytes follow, which is not that many", "is no array of numpy's format",
                                         "with whole sides from 1 on"))


@pytest.mark.parametrize(("shape", "shown"), [
    (f"(0, {10**30})", "[0, over 10^12]"), ("(0,) * 100", "[0, 0, 0, 0, 0, 0, …]"), ("(1,) * 100", "1, …]"),
    ("(True, 4)", "[True, 4]"), ("(True, True, 4)", "[True, True, 4]"), (f"(1, {2**31 + 1})", "[1, 2,147,483,649]"),
    (f"({2**62}, {2**62}, 0)", "[over 10^12, over 10^12, 0]"), ("()", "[]"), ("(4,)", "[4]")])
@pytest.mark.parametrize("body", [b"", bytes(8), bytes(32)])
def test_a_shape_that_no_prompt_has_never_reaches_numpy(shape, shown, body):
    shape = str(eval(shape))  # as a header writes it
    said = refused("x.npy", header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}", body))
    assert "with whole sides from 1 on" in said and shown in said


@pytest.mark.parametrize("shape", [[0, 2**63], [0, 2**62, 2**62], [1] * 100, [0] * 100, [2**63, 0], [0, 6], [0, 0, 6]])
@pytest.mark.parametrize("kind", ["F64", "F32", "F16", "BF16"])
def test_a_shape_of_safetensors_that_no_prompt_has_never_reaches_numpy(shape, kind):
    body = bytes(0 if 0 in shape else {"F64": 8, "F32": 4}.get(kind, 2))
    text = json.dumps({"p": {"dtype": kind, "shape": shape, "data_offsets": [0, len(body)]}}).encode()
    said = refused("x.safetensors", struct.pack("<Q", len(text)) + text + body)
    assert "with whole sides from 1 on" in said or "is no file of safetensors" in said


@pytest.mark.parametrize("error", [ValueError, TypeError, OverflowError, MemoryError])
@pytest.mark.parametrize(("name", "data"), [("x.npy", npy(PROMPT)), ("x.safetensors", save({"p": PROMPT}))])
def test_what_numpy_still_refuses_is_a_sentence(monkeypatch, error, name, data):
    def refuse(*_, **__):
        raise error("too much for this machine")

    monkeypatch.setattr(imported.np, "frombuffer", refuse)
    assert "is no file of prompts: too much for this machine" in refused(name, data)


@pytest.mark.parametrize("text", ["{" * 5000, "__import__('os')", "{'descr': '<f8', 'shape': (3, 6)}",
                                  "(" * 300 + ")" * 300, "\x00",
                                  "{'descr': ('<f8', ('<f8',)), 'fortran_order': False, 'shape': (3, 6)}"])
def test_a_header_that_is_none_is_refused(text):
    refused("x.npy", header(text, PROMPT.tobytes()))


@pytest.mark.parametrize("head", [{"p": {"dtype": "F32", "shape": [10**12, 6], "data_offsets": [0, 72]}},
                                  {"p": {"dtype": "F32", "shape": [3, 6], "data_offsets": [0, 10**15]}},
                                  {"p": {"dtype": "X9", "shape": [3, 6], "data_offsets": [0, 72]}},
                                  {"p": {"dtype": "F32", "shape": [-3, -6], "data_offsets": [0, 72]}}, [], 1])
def test_a_safetensors_header_that_lies_is_refused(head):
    text = json.dumps(head).encode()
    assert "is no file of safetensors" in refused("x.safetensors", struct.pack("<Q", len(text)) + text + bytes(72))
    assert "is no file of safetensors" in refused("x.safetensors", struct.pack("<Q", 2**63) + text + bytes(72))


def test_tensors_of_other_types_are_refused():
    whole = save({"p": np.zeros((3, H), dtype="i4")})
    assert "must be of type F64, F32, F16 or BF16" in refused("x.safetensors", whole)
    assert "1 to 24 prompts. Got 0" in refused("x.safetensors", save({}))


@pytest.mark.parametrize(("array", "said"), [
    (np.zeros(H), r"has the shape [6]: a prompt"), (np.zeros((1, 2, 3, H)), r"has the shape [1, 2, 3, 6]: a prompt"),
    (np.zeros(()), r"has the shape []"), (np.zeros((0, H)), r"has the shape [0, 6]: a prompt"),
    (np.zeros((1025, H)), "P at most 1,024"), (np.zeros((3, 5)), "its last side must be H = 6"),
    (np.zeros((H, 3)), "its last side must be H = 6"), (np.zeros((0, 3, H)), "has the shape [0, 3, 6]: a prompt"),
    (np.zeros((25, 1, H)), "holds 25 prompts, more than 24"), (np.zeros((1,) * 30), "…"),
])
def test_other_shapes_are_refused(array, said):
    assert said in refused("x.npy", npy(array))
    assert said.replace("The file", "The tensor") in refused("x.safetensors", save({"p": np.array(array, order="C")}))


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"), (1e31, "1e+31")])
def test_numbers_that_are_none_are_refused_with_their_place(value, shown):
    array = np.stack([PROMPT, PROMPT])
    array[1, 2, 4] = array[1, 2, 5] = value
    assert f"Got {shown} at [1, 2, 4] instead, and 1 more;" in refused("x.npy", npy(array))


def test_large_files_and_many_prompts_are_refused():
    assert "Got 8,000,001 instead" in refused("x.npy", bytes(8_000_001))
    many = save({f"p{i}": PROMPT for i in range(25)})
    assert "must hold 1 to 24 prompts. Got 25" in refused("x.safetensors", many)


@given(data=st.binary(max_size=200), start=st.sampled_from([b"", npy(PROMPT)[:128], npy(PROMPT), save({"p": PROMPT})]),
       at=st.integers(0, 300), name=st.sampled_from(["x.npy", "x.safetensors"]))
def test_whatever_is_sent_it_is_read_or_refused(data, start, at, name):
    with suppress(DataError):
        found = imported.read(name, start[:at] + data + start[at + len(data):], H)
        assert all(one.shape[1] == H and np.isfinite(one).all() for one in found.values())
