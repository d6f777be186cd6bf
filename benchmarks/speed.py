"""Ours against peft with transformers' Trainer, against one run at a time, and scoring against generate().

    python benchmarks/speed.py [--backbone demo|small|base|DIR] [--data-dir DIR] [--steps 25] [--repeats 3]

Eight tasks x {PT, MST, SPP} x three seeds, four rows of each task a step, dropout off.
a  peft's PromptTuning, trained by transformers' Trainer with length-grouped, dynamically padded batches: one
   task and one run after another; its time of PT stands for every method. Measured for one run, times the runs.
b  our own loop, one run after another.
c  all dev rows (at most --rows a task) under each run's prompts: generate() on the peer's model in batches of
   8 (the Trainer's default) and of 64 rows, sorted by length; measured for one run, times the runs.
In each repeat peers and ours take turns; loading and tokenizing are left out.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import setting as s
import torch

from compt_core.backbone.cache import ScoreCache
from compt_core.backbone.load import Backbone
from compt_core.scoring.score import score_task
from compt_core.tasks.batches import EncodedRow
from compt_core.training.plan import encode_with

METHODS = ("pt", "mst", "spp")


def peer_model(backbone: Backbone, prompt_length: int) -> Any:
    """The backbone with one soft prompt before everything, as peft makes it."""
    from peft import PromptTuningConfig, TaskType, get_peft_model

    return get_peft_model(backbone.model, PromptTuningConfig(
        task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=prompt_length, num_transformer_submodules=1))


def peer_training(backbone: Backbone, model: Any, plan: Any, task: int, batch: int, folder: str) -> Any:
    """transformers' Trainer on the examples of one task."""
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    rows = [{"input_ids": [*e.row.before, *e.row.after], "attention_mask": [1] * e.row.length(0),
             "labels": list(e.target)} for e in plan.train[task]]
    arguments = TrainingArguments(
        folder, per_device_train_batch_size=batch, max_steps=plan.steps, learning_rate=0.05,
        train_sampling_strategy="group_by_length", report_to="none", save_strategy="no", logging_strategy="no",
        disable_tqdm=True, use_cpu=backbone.device.type == "cpu", dataloader_pin_memory=False)
    return Trainer(model=model, args=arguments, train_dataset=rows,
                   data_collator=DataCollatorForSeq2Seq(backbone.tokenizer, model=model))


def train_peer(setting: s.Setting) -> float:
    """Seconds of the Trainer over all tasks of the first run, one after another."""
    run = next(iter(setting.plans))
    plan, config, taken = setting.plans[run], setting.configs[run], 0.0
    with tempfile.TemporaryDirectory() as folder, quiet():
        for task in range(len(plan.train)):
            with frozen(setting.backbone):
                model = peer_model(setting.backbone, config.prompt_length)
                trainer = peer_training(setting.backbone, model, plan, task, config.batch // len(plan.train), folder)
                taken += s.seconds(trainer.train, setting.backbone)
    return taken


def generate_peer(setting: s.Setting, encoded: Sequence[Sequence[EncodedRow]], labels: Sequence[int], batch: int
                  ) -> float:
    """Seconds of generate() over the dev rows of all tasks under one prompt each."""
    config = next(iter(setting.configs.values()))
    backbone, taken = setting.backbone, 0.0
    with quiet(), frozen(backbone), torch.inference_mode():
        model = peer_model(backbone, config.prompt_length).eval()
        for rows, most in zip(encoded, labels, strict=True):
            ids = sorted(([*row.before, *row.after] for row in rows), key=len)
            for start in range(0, len(ids), batch):
                padded = backbone.tokenizer.pad({"input_ids": ids[start:start + batch]}, return_tensors="pt")
                padded = padded.to(backbone.device)
                taken += s.seconds(lambda padded=padded, most=most: model.generate(  # type: ignore[misc]
                    input_ids=padded["input_ids"], attention_mask=padded["attention_mask"], do_sample=False,
                    num_beams=1, max_new_tokens=most), backbone)
    return taken


@contextlib.contextmanager
def frozen(backbone: Backbone) -> Iterator[None]:
    """Puts the shared weights back as they were: the peer's Trainer sets training mode on them."""
    try:
        yield
    finally:
        backbone.model.requires_grad_(False).eval()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the libraries' words about settings and deprecations."""
    with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        yield


def score_ours(setting: s.Setting, encoded: Sequence[Sequence[EncodedRow]], rows: int) -> float:
    """Seconds of our scoring of the dev rows of all tasks under the prompts of all runs; nothing is known before."""
    fleet, backbone = setting.fleet(), replace(setting.backbone, cache=ScoreCache())

    def work() -> None:
        with torch.inference_mode():
            vectors = fleet.vectors()
        for k, (data, own) in enumerate(zip(setting.data, encoded, strict=True)):
            spans = {run: fleet.address[run, k] for run in setting.configs}
            score_task(backbone, data.task, data.dev[:rows], own,
                       {run: vectors[start:start + length] for run, (start, length) in spans.items()}, prefix="neutral")

    return s.seconds(work, backbone)


def report(name: str, ours: Sequence[float], peer: Sequence[float], what: str) -> None:
    """One line: medians, their ratio, and its range over the repeats."""
    ratios = [p / o for p, o in zip(peer, ours, strict=True)]
    print(f"{name}  ours {statistics.median(ours):8.2f} s  {what} {statistics.median(peer):8.2f} s  "
          f"{statistics.median(ratios):5.1f} times as fast ({min(ratios):.1f}–{max(ratios):.1f})", flush=True)


def main() -> None:
    """Measure and print."""
    parser = s.parser(__file__, __doc__ or "")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--rows", type=int, default=300, help="dev rows per task for c")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="abc", help="which of a, b and c")
    given = parser.parse_args()
    backbone = s.start(given)
    tasks = s.tasks_of(given, 8)
    setting = s.make_setting(backbone, METHODS, given.seeds, tasks=tasks, shots=32, steps=given.steps,
                             batch=4 * len(tasks), position="before_all", data_dir=given.data_dir)
    runs = list(setting.configs)
    print(f"{len(tasks)} tasks x {len(METHODS)} methods x {given.seeds} seeds, {given.steps} steps of "
          f"{len(setting.items(0))} rows in all")
    times: dict[str, list[float]] = {name: [] for name in ("ours", "peer", "alone", "score", "8", "64")}
    config = setting.configs[runs[0]]
    encoded = [encode_with(backbone.tokenizer, config, d.task, d.dev[:given.rows]) for d in setting.data]
    labels = [max(len(e.target) for e in examples) for examples in setting.plans[runs[0]].train]
    if set(given.only) & set("ab"):
        s.step_seconds(setting, 1)  # warms up
    for _ in range(given.repeats):
        if set(given.only) & set("ab"):
            times["ours"].append(s.train_steps(setting, runs))
        if "a" in given.only:
            times["peer"].append(train_peer(setting) * len(runs))
        if "b" in given.only:
            times["alone"].append(sum(s.train_steps(setting, [run]) for run in runs))
        if "c" in given.only:
            times["score"].append(score_ours(setting, encoded, given.rows))
            times["8"].append(generate_peer(setting, encoded, labels, 8) * len(runs))
            times["64"].append(generate_peer(setting, encoded, labels, 64) * len(runs))
    for name, ours, peer, what in (
        ("a", "ours", "peer", "peft with Trainer"), ("b", "ours", "alone", "ours, one run at a time"),
        ("c", "score", "8", "generate() in batches of 8"), ("c", "score", "64", "generate() in batches of 64"),
    ):
        if name in given.only:
            report(name, times[ours], times[peer], what)
    if times["ours"]:
        taken = statistics.median(times["ours"])
        rows = given.steps * len(setting.items(0))
        print(f"ours: {1e3 * taken / given.steps:.1f} ms a step, {rows / taken:,.0f} rows/s")


if __name__ == "__main__":
    main()
