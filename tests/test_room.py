"""Passes that fit the memory: every row once, in halves where memory runs out."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compt_core.room import MOST_TOKENS, OutOfMemory, Room, fitting, new_room, ran_out

CPU = torch.device("cpu")


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(50, 400), st.integers(50, 400))
def test_every_row_is_worked_on_once_however_little_fits(lengths, tokens, limit):
    room, seen, failed = Room(CPU, tokens, open=False), [], []

    def work(part):
        if sum(lengths[i] for i in part) > limit:
            failed.append(part)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        seen.extend(part.tolist())

    room.each(lengths, work)
    assert sorted(seen) == list(range(len(lengths)))
    assert [lengths[i] for i in seen] == sorted(lengths)
    assert len(failed) <= 4  # it learns: 400 tokens are halved thrice at most, once more for a part that was not full
    assert (room.tokens == tokens) == (not failed)


def test_a_row_that_does_not_fit_alone_is_named():
    def work(part):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: 1 bytes")

    with pytest.raises(OutOfMemory, match=r"One row of 7 tokens does not fit the memory of 'cpu'\. Free some"):
        Room(CPU, 10, open=False).each([9, 7], work)


def test_other_errors_pass():
    def work(part):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        new_room(CPU).each([9, 7], work)
    assert not ran_out(ValueError("no"))
    assert ran_out(MemoryError())


def test_a_part_fills_the_free_memory_by_what_a_token_took():
    assert fitting(tokens=100, taken=1_000, free=10_000) == 700
    assert fitting(tokens=100, taken=0, free=10**12) == MOST_TOKENS
    assert fitting(tokens=1, taken=10**9, free=1) == 1
    assert new_room(torch.device("cuda")).open
    assert not new_room(CPU).open


def test_training_goes_on_in_halves_with_the_same_gradients(backbone64, glue_dir, monkeypatch):
    from compt_core import forward
    from compt_core.config import RunConfig
    from compt_core.experiment import load_data
    from compt_core.fleet import build_fleet
    from compt_core.training import passes
    from compt_core.training.plan import plan_run

    config = RunConfig(tasks=("sst2", "rte"), method="spp", shots=4, steps=3, batch=8, encoder_hidden=9,
                       data_dir=str(glue_dir))
    plan = plan_run(config, load_data(config.tasks, config.data_dir), backbone64.tokenizer)
    items = [("a", example) for example in plan.batch(0)]

    def gradients():
        fleet = build_fleet({"a": config}, backbone64)
        passes.forward_backward(fleet, items, 0, {"a": plan})
        return [p.grad for block in fleet.blocks for p in block.parameters.values()]

    whole, decodes = gradients(), []

    def greedy(backbone, memory, inputs):
        decodes.append(memory.batch.rows)
        if memory.batch.rows > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward.decode(backbone, memory, inputs)

    monkeypatch.setattr(passes, "decode", greedy)
    monkeypatch.setattr(backbone64.rooms["train"], "tokens", 4_096)
    for ours, theirs in zip(gradients(), whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    assert max(decodes) == 8 and np.sum([n for n in decodes if n <= 3]) == 8
