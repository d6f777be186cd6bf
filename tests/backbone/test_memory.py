"""The peak of memory is measured anew, in bytes."""

import sys

import pytest
import torch

from compt_core.backbone.memory import peak, watch


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the peak is that of the whole process")
def test_the_peak_of_a_cpu_is_what_was_held_since_it_was_watched():
    device = torch.device("cpu")
    torch.ones(60_000_000)  # 240 MB, gone at once
    watch(device)
    before = peak(device)
    held = torch.ones(25_000_000)
    assert 90e6 < peak(device) - before < 130e6
    del held
    assert peak(device) - before > 90e6


def test_devices_that_do_not_count_their_memory_have_no_peak():
    assert peak(torch.device("meta")) is None
