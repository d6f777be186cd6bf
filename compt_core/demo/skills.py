"""What the backbone can do when told to: ``python -m compt_core.demo.skills [--backbone DIR]``.

Accuracy per skill under its own pre-training prefix, on sentences of the suite, none of which was
taught; with label words that the skill was taught with, and (suite skills) with those held out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import torch
from transformers import T5ForConditionalGeneration

from compt_core.demo.backbone import collate, forward
from compt_core.demo.grammar import parse
from compt_core.demo.lessons import Lesson, vocabulary_ids
from compt_core.demo.pairs import SKILLS
from compt_core.demo.suites import SUITE, suite_rows
from compt_core.demo.vocabulary import TAGS, skill_token, style_token

_STREAM: Final = 71


def skill_table(model: T5ForConditionalGeneration, rows: int = 1000) -> dict[str, tuple[float, float | None]]:
    """Skill -> (accuracy with taught label words, accuracy with held-out ones or None)."""
    table: dict[str, tuple[float, float | None]] = {}
    for skill in SKILLS:
        own = [index for index, task in enumerate(SUITE) if task.skill == skill]
        taught = [index for index in range(len(SUITE)) if index not in own]
        table[skill] = (_accuracy(model, skill, taught, rows), _accuracy(model, skill, own, rows) if own else None)
    return table


@torch.no_grad()
def _accuracy(model: T5ForConditionalGeneration, skill: str, styles: list[int], rows: int) -> float:
    """Share of `rows` (half per label) on which the right label word is the likelier of the two."""
    rng = np.random.default_rng([_STREAM, list(SKILLS).index(skill)])
    cases = _cases(skill, rows, rng)
    ids, right = vocabulary_ids(), 0
    device = next(model.parameters()).device
    for start in range(0, len(cases), 250):
        part = cases[start:start + 250]
        chosen = [SUITE[styles[int(rng.integers(len(styles)))]] for _ in part]
        lessons = [
            Lesson([ids[TAGS[int(rng.integers(len(TAGS)))]], ids[skill_token(skill)],
                    ids[style_token(SUITE.index(task))], *text], [ids[task.labels[0]], 1], skill, 5)
            for task, (text, _) in zip(chosen, part, strict=True)]
        logits = forward(model, collate(lessons, device), torch.Generator())[:, 0]
        for row, (task, (_, label)) in enumerate(zip(chosen, part, strict=True)):
            no, yes = (logits[row, ids[word]] for word in task.labels)
            right += bool(yes > no) == label
    return right / len(cases)


def _cases(skill: str, count: int, rng: np.random.Generator) -> list[tuple[list[int], bool]]:
    """(text ids, label) of `count` balanced pairs of the suite's sentences; the skill's own tasks where it has any."""
    tasks = [task for task in SUITE if task.skill == skill] or list(SUITE)
    pool = [row for task in tasks for rows in suite_rows(task.name) for row in rows]
    ids = vocabulary_ids()
    sides: dict[bool, list[list[int]]] = {False: [], True: []}
    for index in rng.permutation(len(pool)):
        row = pool[index]
        label = SKILLS[skill](parse(row.sentence1), parse(row.sentence2))
        if label is None or len(sides[label]) == count // 2:
            continue
        first, second = (text.lower().replace(",", "").rstrip(".").split() for text in (row.sentence1, row.sentence2))
        text = ["sentence:", *first] if skill == "liking" else ["sentence1:", *first, "sentence2:", *second]
        sides[label].append([*(ids[word] for word in text), 1])
    return [(text, label) for label, texts in sides.items() for text in texts]


def main() -> None:
    """Print the skill table of a backbone folder."""
    parser = argparse.ArgumentParser(prog="python -m compt_core.demo.skills", description=main.__doc__)
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--backbone", type=Path, default=root / "assets" / "demo-t5")
    model = T5ForConditionalGeneration.from_pretrained(parser.parse_args().backbone, dtype=torch.float32).eval()
    print(f"{'skill':8}  taught words  held-out words")
    for skill, (taught, held_out) in skill_table(model).items():
        print(f"{skill:8}  {taught:12.3f}  {'' if held_out is None else format(held_out, '14.3f')}")


if __name__ == "__main__":
    main()
