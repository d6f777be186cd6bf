"""How near a fleet's step comes to the machine's rate of matrix products, and where the rest of the time goes.

    python benchmarks/limit.py [--backbone demo|small|base|DIR] [--data-dir DIR] [--device cuda]

Counts the floating point operations of one forward and backward pass with torch.utils.flop_counter, part by
part; divides them by the rate that a large square product reaches on the same threads; and lists the operators
that took the time of the step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import setting as s
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from compt_core.training import passes

SIZES = {"cpu": 2048, "cuda": 8192}  # of a square matrix whose product fills the machine


def rate(backbone: Any, size: int, repeats: int = 5) -> float:
    """Operations per second of a square matrix product in the backbone's dtype: the best of a few."""
    a, b = (torch.randn(size, size, device=backbone.device, dtype=backbone.model.dtype) for _ in range(2))
    a @ b
    return max(2 * size**3 / s.seconds(lambda: a @ b, backbone) for _ in range(repeats))


def attention_flops(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Of softmax(q k') v; shapes [B, heads, tokens, d_kv]. The counter does not know the CPU's kernel."""
    rows, heads, queries, width = query
    return 4 * rows * heads * queries * key[2] * width


def attention_backward_flops(gradient: Any, query: Any, key: Any, *rest: Any, **__: Any) -> int:
    """Five products of that size (the scores are made anew), where forward has two."""
    return attention_flops(query, key, None) * 5 // 2


CPU_KERNELS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: attention_backward_flops,
}


class Parts:
    """Operations of forward passes by part of the model, read from one counter around the functions that run them."""

    def __init__(self) -> None:
        self.flops: Counter[str] = Counter()
        self.counter = FlopCounterMode(display=False, custom_mapping=CPU_KERNELS)

    def counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, its operations added to `name`; those of attention's kernel to "attention"."""
        def call(*args: Any, **kwargs: Any) -> Any:
            before = Counter(self.counter.get_flop_counts()["Global"])
            result = function(*args, **kwargs)
            for operator, flops in (Counter(self.counter.get_flop_counts()["Global"]) - before).items():
                self.flops["attention" if "scaled_dot_product" in str(operator) else name] += flops
            return result
        return call


def count(setting: s.Setting) -> tuple[int, Counter[str]]:
    """(operations of one forward and backward pass, those of the forward pass by part)."""
    fleet, items, parts = setting.fleet(), setting.items(0), Parts()
    with FlopCounterMode(display=False, custom_mapping=CPU_KERNELS) as counter:
        passes.forward_backward(fleet, items, dict.fromkeys(setting.plans, 0), setting.plans)
    cross = [block.layer[1].EncDecAttention for block in setting.backbone.model.decoder.block]
    with ExitStack() as stack:
        for name in ("encode", "decode", "target_log_probs"):
            stack.enter_context(mock.patch.object(passes, name, parts.counted(name, getattr(passes, name))))
        for module in (getattr(layer, name) for layer in cross for name in "qkvo"):
            stack.enter_context(mock.patch.object(module, "forward", parts.counted("cross-attention", module.forward)))
        stack.enter_context(parts.counter)
        passes.task_losses(fleet, items)
    parts.flops["decode"] -= parts.flops["cross-attention"]
    return counter.get_total_flops(), parts.flops


def main() -> None:
    """Measure and print."""
    parser = s.parser(__file__, __doc__ or "")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=4, help="rows per task and step of a run")
    given = parser.parse_args()
    backbone = s.start(given)
    tasks = s.tasks_of(given, 8)
    setting = s.make_setting(backbone, ("pt", "mst", "spp"), given.seeds, tasks=tasks, shots=32,
                             steps=given.repeats + 2, batch=given.rows * len(tasks), data_dir=given.data_dir)
    taken = s.step_seconds(setting, given.repeats)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # counter and profiler see their own thread alone
    flops, parts = count(setting)
    torch.set_num_threads(threads)
    size = SIZES[backbone.device.type]
    best = rate(backbone, size)
    torch.set_num_threads(1)
    tokens = sum(e.row.length(setting.configs[run].prompt_length) for run, e in setting.items(0))
    print(f"{len(setting.items(0))} rows, {tokens:,} tokens a step: {taken * 1e3:.0f} ms, "
          f"{tokens / taken:,.0f} tokens/s")
    print(f"{flops / 1e9:.2f} GFLOP forward and backward at {flops / taken / 1e9:.1f} GFLOP/s; a product of {size}² "
          f"matrices reaches {best / 1e9:.1f}: {100 * flops / taken / best:.0f}%")
    forward_flops = sum(parts.values())
    print("forward: " + ", ".join(f"{name} {100 * own / forward_flops:.0f}%" for name, own in parts.items()))
    fleet, items = setting.fleet(), setting.items(0)
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if backbone.device.type == "cuda" else [])]
    with profile(activities=kinds) as profiled:
        passes.forward_backward(fleet, items, dict.fromkeys(setting.plans, 0), setting.plans)
        s.wait(backbone)
    column = "self_cuda_time_total" if backbone.device.type == "cuda" else "self_cpu_time_total"
    print(profiled.key_averages().table(sort_by=column, row_limit=10, max_name_column_width=60))


if __name__ == "__main__":
    main()
