"""Prompts out of files that anybody may have made: what is read, and that all else is one sentence."""

import io
import json
import re
import struct
import tracemalloc
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from compt_core import foreign
from compt_core.errors import DataError

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
        foreign.read(name, data, hidden)
    said = str(caught.value)
    assert len(said.splitlines()) == 1 and len(said) < 500 and re.search(r"[.!]$", said), said
    return said


@pytest.mark.parametrize(("scale", "kind"), [*((scale, kind) for scale in (1, 700, 1e-5, 1e20)
                                               for kind in ("<f4", "<f8", ">f4")), (1, "<f2"), (700, "<f2")])
def test_prompts_of_any_scale_and_byte_order_are_read(scale, kind):
    array = (PROMPT * scale).astype(kind)
    for data in (npy(array), npy(np.asfortranarray(array)), npy(array, version=(2, 0))):
        (name, read), = foreign.read("mine.NPY", data, H).items()
        assert name == "prompt" and read.dtype == np.float64
        np.testing.assert_array_equal(read, array)


def test_several_prompts_are_numbered_and_whole_numbers_are_numbers():
    found = foreign.read("x.npy", npy(np.arange(2 * 3 * H).reshape(2, 3, H)), H)
    assert list(found) == ["0", "1"] and found["1"][0, 0] == 3 * H
    both = foreign.read("x.safetensors", save({"b": PROMPT, "a": np.stack([PROMPT, 2 * PROMPT]),
                                               "c": PROMPT[None].astype(np.float16)}), H)
    assert list(both) == ["a 0", "a 1", "b", "c"] and np.array_equal(both["a 1"], 2 * PROMPT)


def test_of_a_checkpoint_of_peft_or_of_a_run_the_prompts_alone_are_taken():
    peft = save({"prompt_embeddings": PROMPT.astype(np.float32), "base_model.weight": np.zeros((4, 4, 4, 4))})
    assert list(foreign.read("adapter_model.safetensors", peft, H)) == ["prompt_embeddings"]
    run = save({"composed": np.stack([PROMPT] * 2), "attention.logits": np.zeros((2, 9)), "source": PROMPT[None]})
    assert list(foreign.read("prompts.safetensors", run, H)) == ["composed 0", "composed 1"]


def test_bfloat16_is_read():
    import torch
    from safetensors.torch import save as save_torch

    own = torch.from_numpy(PROMPT * 700).to(torch.bfloat16)
    np.testing.assert_array_equal(foreign.read("x.safetensors", save_torch({"p": own}), H)["p"], own.double().numpy())


def test_what_numpy_and_peft_write_themselves(tmp_path):
    np.save(tmp_path / "p.npy", PROMPT)
    assert np.array_equal(foreign.read("p.npy", (tmp_path / "p.npy").read_bytes(), H)["prompt"], PROMPT)


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
    assert "bytes follow, which is not that many" in said or "is no array of numpy's format" in said


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
    (np.zeros((H, 3)), "its last side must be H = 6"), (np.zeros((0, 3, H)), "1 to 24 prompts. Got 0"),
    (np.zeros((25, 1, H)), "holds 25 prompts, more than 24"), (np.zeros((1,) * 30), "…"),
])
def test_other_shapes_are_refused(array, said):
    assert said in refused("x.npy", npy(array))
    assert said.replace("The file", "The tensor") in refused("x.safetensors", save({"p": np.array(array, order="C")}))


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"), (1e31, "1e+31")])
def test_numbers_that_are_none_are_refused_with_their_place(value, shown):
    array = np.stack([PROMPT, PROMPT])
    array[1, 2, 4] = array[1, 2, 5] = value
    assert f"Got {shown} at [1, 2, 4] instead, and 1 more." in refused("x.npy", npy(array))


def test_large_files_and_many_prompts_are_refused():
    assert "has 8.0 MB, more than 8" in refused("x.npy", bytes(8_000_001))
    many = save({f"p{i}": PROMPT for i in range(25)})
    assert "must hold 1 to 24 prompts. Got 25" in refused("x.safetensors", many)


@given(data=st.binary(max_size=200), start=st.sampled_from([b"", npy(PROMPT)[:128], npy(PROMPT), save({"p": PROMPT})]),
       at=st.integers(0, 300), name=st.sampled_from(["x.npy", "x.safetensors"]))
def test_whatever_is_sent_it_is_read_or_refused(data, start, at, name):
    with suppress(DataError):
        found = foreign.read(name, start[:at] + data + start[at + len(data):], H)
        assert all(one.shape[1] == H and np.isfinite(one).all() for one in found.values())
