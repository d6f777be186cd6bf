"""Trains the bundled backbone: ``python -m compt_core.demo.pretrain [--out DIR] [--minutes N]``.

Training can be split into slices of any length. A checkpoint is kept apart from the result, and a later call continues
from it to exactly the same weights, because a batch depends only on the seed, the step and the checkpoint's progress.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import torch
from transformers import T5ForConditionalGeneration

from compt_core.demo.backbone import IGNORED, collate, forward, new_backbone
from compt_core.demo.lessons import STAGES, Lesson, Mix, lessons
from compt_core.demo.vocabulary import build_tokenizer
from compt_core.language.cases import GRADES, SKILLS

ROOT: Final = Path(__file__).resolve().parents[2]
POSITIONS, POSITION_FACTOR = "relative_attention_bias", 10.0  # T5's position biases, and their learning rate
LOG: Final = logging.getLogger("compt_core.demo.pretrain")


@dataclass(frozen=True)
class Plan:
    """Settings of a pre-training; a checkpoint can only be resumed with the plan that made it.

    steps    optimizer steps in all
    batch    lessons per step
    rate     peak learning rate of AdamW; reached after `warmup` steps, linear to 0 over the last `decay` of all steps
    promote  share of right labels, averaged over the skills, at which the next slot is added
    """

    steps: int = 13_000
    batch: int = 96
    rate: float = 3e-3
    warmup: int = 200
    decay: float = 0.4
    promote: float = 0.93
    seed: int = 0


@dataclass
class Progress:
    """The progress of a pre-training: steps done, curriculum stage, running accuracy per skill, seconds spent."""

    step: int = 0
    stage: int = 1
    right: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def train(
    model: T5ForConditionalGeneration, optimizer: torch.optim.AdamW, plan: Plan, progress: Progress, *, until: int,
    deadline: float = float("inf"),
) -> list[float]:
    """Trains from `progress.step` to `until` or until `time.monotonic()` passes `deadline`; returns the losses."""
    losses = []
    device = next(model.parameters()).device
    model.train()
    while progress.step < until and time.monotonic() < deadline:
        begun = time.monotonic()
        settle = _settling(plan, progress.step)
        for group in optimizer.param_groups:
            group["lr"] = group["factor"] * plan.rate * min(1.0, (progress.step + 1) / plan.warmup) * (1 - settle)
        mix = Mix(progress.stage, weights={skill: 1.08 - right for skill, right in progress.right.items()},
                  members=4 * progress.stage, more=0.7 - 0.5 * settle)
        rows = lessons(plan.seed, progress.step, plan.batch, mix)
        arrays = collate(rows, device)
        noise = torch.Generator().manual_seed(plan.seed * 1_000_003 + progress.step)
        logits = forward(model, arrays, noise)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), arrays.labels.flatten(), ignore_index=IGNORED)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        _promote(progress, plan, rows, (logits[:, 0].argmax(-1) == arrays.labels[:, 0]).tolist())
        progress.step += 1
        progress.seconds += time.monotonic() - begun
        if progress.step % 250 == 0:
            _report(progress, losses)
    model.eval()
    return losses


def _settling(plan: Plan, step: int) -> float:
    """0 until the last `plan.decay` of the steps, over which it rises to 1."""
    return max(0.0, 1 - (plan.steps - step) / (plan.decay * plan.steps))


def _promote(progress: Progress, plan: Plan, rows: list[Lesson], right: list[bool]) -> None:
    """Update the running accuracy on lessons of the present stage; at `plan.promote`, start the next stage.

    Graded skills do not count: which of 26 grades is the right one can be a matter of rounding.
    """
    for row, hit in zip(rows, right, strict=True):
        if row.skill and row.slots == progress.stage:
            progress.right[row.skill] = 0.99 * progress.right.get(row.skill, 0.5) + 0.01 * hit
    able = [name for name, skill in SKILLS.items() if len(skill.needs) <= progress.stage and skill.labels < GRADES]
    ready = all(name in progress.right for name in able) and \
        sum(progress.right[name] for name in able) >= plan.promote * len(able)
    if ready and progress.stage < STAGES:
        progress.stage += 1
        progress.right = {}
        LOG.info("step %d: stage %d of %d", progress.step, progress.stage, STAGES)


def _report(progress: Progress, losses: list[float]) -> None:
    recent = losses[-250:]
    skills = " ".join(f"{skill} {right:.2f}" for skill, right in sorted(progress.right.items()))
    LOG.info("step %d, %.0f s, stage %d, loss %.3f | %s",
             progress.step, progress.seconds, progress.stage, sum(recent) / len(recent), skills)


def new_optimizer(model: T5ForConditionalGeneration, plan: Plan) -> torch.optim.AdamW:
    """AdamW over all weights; beta2 .98, since a small model's gradients change fast.

    To look at the previous word, a head needs a bias of several units, which Adam would reach only after thousands of
    steps.
    """
    named = list(model.named_parameters())
    bias = [weight for name, weight in named if POSITIONS in name]
    rest = [weight for name, weight in named if POSITIONS not in name]
    groups = [{"params": rest, "factor": 1.0}, {"params": bias, "factor": POSITION_FACTOR}]
    return torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)


def save_checkpoint(path: Path, model: T5ForConditionalGeneration, optimizer: torch.optim.AdamW,
                    plan: Plan, progress: Progress) -> None:
    """Saves everything that a later slice needs, in a temporary file that is then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(),
             "plan": asdict(plan), "progress": asdict(progress)}
    torch.save(state, path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


def load_checkpoint(path: Path, model: T5ForConditionalGeneration, optimizer: torch.optim.AdamW,
                    plan: Plan) -> Progress:
    """Restores model and optimizer in place. Raises ValueError if the checkpoint was made with another plan.

    Only the number of steps may differ; the learning rate then follows the new plan.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    if {**state["plan"], "steps": plan.steps} != asdict(plan):
        raise ValueError(f"The checkpoint '{path}' was made with other settings: {json.dumps(state['plan'])}. "
                         "Use the same settings, or another --checkpoint.")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return Progress(**state["progress"])


def export(model: T5ForConditionalGeneration, folder: Path) -> None:
    """Writes config, float16 safetensors and tokenizer to `folder`; does not change the given model."""
    folder.mkdir(parents=True, exist_ok=True)
    half = T5ForConditionalGeneration(model.config)
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # the writer makes it readable only by its owner
    build_tokenizer().save_pretrained(folder)


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Within the block, log lines go to `path` (appended) and to stderr."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [logging.StreamHandler(), logging.FileHandler(path, encoding="utf-8")]
    LOG.setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        LOG.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            LOG.removeHandler(handler)
            handler.close()


def main(arguments: list[str] | None = None) -> None:
    """Command line: train a slice, keep a checkpoint, export the weights reached so far."""
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m compt_core.demo.pretrain", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "assets" / "demo-t5", help="folder for the backbone")
    parser.add_argument("--minutes", type=float, default=150.0, help="longest duration of this slice")
    parser.add_argument("--steps", type=int, default=plan.steps, help="optimizer steps in all slices together")
    parser.add_argument("--stop", type=int, help="end this slice at this step at the latest")
    parser.add_argument("--seed", type=int, default=plan.seed, help="seed of weights and lessons")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0 = torch's choice")
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "checkpoints" / "demo-t5" / "slice.pt")
    given = parser.parse_args(arguments)
    plan = Plan(steps=given.steps, seed=given.seed)
    if given.threads:
        torch.set_num_threads(given.threads)
    with _log_to(given.checkpoint.with_suffix(".log")):
        until = min(plan.steps, given.stop or plan.steps)
        _slice(plan, until, given.out, given.checkpoint, given.device, time.monotonic() + given.minutes * 60)


def _slice(plan: Plan, until: int, out: Path, checkpoint: Path, device: str, deadline: float) -> None:
    """Continues from the checkpoint, if there is one, to step `until` or the `deadline`; then exports."""
    model = new_backbone(plan.seed)
    torch.nn.Module.to(model, device)
    optimizer, progress = new_optimizer(model, plan), Progress()
    if checkpoint.exists():
        progress = load_checkpoint(checkpoint, model, optimizer, plan)
    while progress.step < until and time.monotonic() < deadline:
        train(model, optimizer, plan, progress, until=min(until, progress.step + 500), deadline=deadline)
        save_checkpoint(checkpoint, model, optimizer, plan, progress)
    export(model, out)
    LOG.info("step %d of %d, %.0f s in all; written to %s", progress.step, plan.steps, progress.seconds, out)


if __name__ == "__main__":
    main()
