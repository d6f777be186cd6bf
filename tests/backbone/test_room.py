"""Passes that fit the memory: every row once, in halves where memory runs out."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compt_core.backbone.passes import (
    FIRST_TOKENS,
    MOST_TOKENS,
    OutOfMemory,
    Room,
    _Allowed,
    fitting,
    new_room,
    ran_out,
)

CPU = torch.device("cpu")


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(50, 400), st.integers(100, 400),
       st.integers(1, 3))
def test_every_row_is_worked_on_once_however_little_fits(lengths, tokens, limit, threads):
    room, failed = Room(CPU, tokens, open=False), []

    def work(part):
        if sum(lengths[i] for i in part) > limit:
            failed.append(part)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return part.tolist(), torch.get_num_threads(), threading.current_thread()

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        results = room.map(lengths, work)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    seen = [i for part, *_ in results for i in part]
    assert sorted(seen) == list(range(len(lengths)))
    assert [lengths[i] for i in seen] == sorted(lengths)
    if not failed:
        assert room.tokens == tokens
        here = threading.current_thread()
        elsewhere = [used for _, used, thread in results if thread is not here]
        assert set(elsewhere) == ({1} if threads > 1 and len(results) > 1 else set())


def test_rows_are_worked_on_one_part_after_another_where_asked():
    room, inside = Room(CPU, 10, open=False), threading.Lock()

    def work(part):
        assert room.lock.locked()
        with inside:
            return threading.current_thread()

    torch.set_num_threads(3)
    try:
        assert {*room.map([5] * 12, work, alone=True)} == {threading.current_thread()}
        assert threading.current_thread() not in room.map([5] * 12, work)
    finally:
        torch.set_num_threads(1)


def test_overlapping_waves_leave_torchs_threads_as_they_were():
    allowed = _Allowed()
    torch.set_num_threads(2)
    try:
        with allowed.one_each() as pool:
            with allowed.one_each() as other:
                assert pool is other
                assert (torch.get_num_threads(), allowed.threads) == (1, 2)
            assert (torch.get_num_threads(), allowed.threads) == (1, 2)
        assert (torch.get_num_threads(), allowed.threads) == (2, 2)
    finally:
        torch.set_num_threads(1)


def test_after_an_error_no_part_is_still_worked_on():
    room, done, error = Room(CPU, 10, open=False), [], threading.Event()

    def work(part):
        if 0 in part:
            error.set()
            raise ValueError("broken")
        assert error.wait(timeout=20)
        done.append(1)

    torch.set_num_threads(2)
    try:
        with pytest.raises(ValueError, match="broken"):
            room.map([5] * 4, work)
        assert done == [1]
        assert not room.lock.locked()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_row_that_does_not_fit_alone_is_named():
    def work(part):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: 1 bytes")

    with pytest.raises(OutOfMemory, match=r"One row of 7 tokens does not fit the memory of 'cpu'\. Free some"):
        Room(CPU, 10, open=False).map([9, 7], work)


def test_rows_of_very_different_lengths_end_alone():
    def work(part):
        if sum([10, 900, 900, 900][i] for i in part) > 905:
            raise MemoryError
        return part.tolist()

    room = Room(CPU, 2048, open=False)
    assert sorted(room.map([10, 900, 900, 900], work, alone=True)) == [[0], [1], [2], [3]]


def test_other_errors_pass():
    def work(part):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        new_room(CPU, 64, threading.Lock()).map([9, 7], work)
    assert not ran_out(ValueError("no"))
    assert ran_out(MemoryError())


def test_a_part_fills_the_free_memory_by_what_a_token_took():
    assert fitting(tokens=100, taken=1_000, free=10_000) == 700
    assert fitting(tokens=100, taken=0, free=10**12) == MOST_TOKENS
    assert fitting(tokens=1, taken=10**9, free=1) == 1
    assert new_room(torch.device("cuda"), 64, threading.Lock()).open
    assert [new_room(CPU, hidden, threading.Lock()).tokens for hidden in (64, 512, 768)] == [2048, 256, 256]


def test_training_goes_on_in_halves_with_the_same_gradients(backbone64, glue_dir, monkeypatch):
    from compt_core.backbone import t5
    from compt_core.planning.data import load_data
    from compt_core.settings.config import RunConfig
    from compt_core.training import passes
    from compt_core.training.fleet import build_fleet
    from compt_core.training.plan import plan_run

    config = RunConfig(tasks=("sst2", "rte"), method="spp", shots=4, steps=3, batch=8, encoder_hidden=9,
                       data_dir=str(glue_dir))
    plan = plan_run(config, load_data(config.tasks, config.data_dir, backbone64.files), backbone64.tokenizer)
    items = [("a", example) for example in plan.batch(0)]

    def gradients():
        fleet = build_fleet({"a": config}, backbone64)
        passes.forward_backward(fleet, items, {"a": 0}, {"a": plan})
        return [p.grad for block in fleet.blocks for p in block.parameters.values()]

    whole, decodes = gradients(), []

    def greedy(backbone, memory, inputs):
        decodes.append(memory.batch.rows)
        if memory.batch.rows > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return t5.decode(backbone, memory, inputs)

    monkeypatch.setattr(passes, "decode", greedy)
    monkeypatch.setattr(backbone64.rooms["train"], "tokens", 4_096)
    for ours, theirs in zip(gradients(), whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    assert max(decodes) == 8 and np.sum([n for n in decodes if n <= 3]) == 8


def test_a_small_first_pass_does_not_size_the_later_ones(monkeypatch):
    """What a few tokens take on a GPU is mostly workspaces: 42 kB a token instead of 12 were seen on one."""
    room, held = new_room(torch.device("cuda"), 64, threading.Lock()), {"most": 0}
    for name, answer in (("reset_peak_memory_stats", None), ("memory_allocated", 0), ("empty_cache", None),
                         ("mem_get_info", (10**9, 10**9))):
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda *_: held["most"])

    def work(part):
        held["most"] = 10_000_000 + 12_000 * 64 * len(part)

    room.map([30] * 8, work)
    assert room.open and room.tokens == FIRST_TOKENS
    room.map([30] * 500, work)
    tokens = 64 * 250  # of each half of the rows, padded
    assert not room.open and room.tokens == fitting(tokens, 10_000_000 + 12_000 * tokens, 10**9) > 50_000
