"""What the backbone can do when asked: ``python -m compt_core.demo.skills [--backbone DIR]``.

Each skill is asked for by its own pre-training prefix, on texts of the suites, none of which was taught. It is tested
with label words that it was taught with and, if the suites use the skill, with the label words held out for them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from transformers import T5ForConditionalGeneration

from compt_core.demo.backbone import collate, forward
from compt_core.demo.lessons import Lesson, vocabulary_ids
from compt_core.demo.vocabulary import EOS, TAGS, skill_token, style_token, taught_styles
from compt_core.language.cases import GRADES, SKILLS, certify
from compt_core.language.grammar import plain
from compt_core.language.suites import SUITE, suite_rows
from compt_core.scoring.metrics import score

_STREAM: Final = 71
_AT_ONCE: Final = 250


class Ability(NamedTuple):
    """Score of one skill: accuracy, or Pearson's r for a graded skill; `held_out` with the held-out label words."""

    metric: str
    taught: float
    held_out: float | None


def skill_table(model: T5ForConditionalGeneration, rows: int = 1000) -> dict[str, Ability]:
    """Skill -> its ability on at most `rows` rows, balanced over the answers (for a graded skill, as drawn)."""
    table = {}
    for skill, known in SKILLS.items():
        own = tuple(dict.fromkeys(task.labels for task in SUITE if task.skill == skill))
        metric = "pearson" if known.labels == GRADES else "accuracy"
        table[skill] = Ability(metric, _score(model, skill, metric, taught_styles(skill), rows),
                               _score(model, skill, metric, own, rows) if own else None)
    return table


@torch.no_grad()
def _score(model: T5ForConditionalGeneration, skill: str, metric: str, styles: tuple[tuple[str, ...], ...],
           rows: int) -> float:
    """The score on `rows` texts, each asked for with a random one of `styles`."""
    rng = np.random.default_rng([_STREAM, list(SKILLS).index(skill)])
    cases, ids = _cases(skill, rows, rng), vocabulary_ids()
    device, predicted = next(model.parameters()).device, []
    for start in range(0, len(cases), _AT_ONCE):
        part = cases[start:start + _AT_ONCE]
        chosen = [styles[int(rng.integers(len(styles)))] for _ in part]
        lessons = [
            Lesson([ids[TAGS[int(rng.integers(len(TAGS)))]], ids[skill_token(skill)], ids[style_token(style)], *text],
                   [ids[style[0]], ids[EOS]], skill, 0)
            for style, (text, _) in zip(chosen, part, strict=True)]
        logits = forward(model, collate(lessons, device), torch.Generator())[:, 0]
        predicted += [int(row[[ids[word] for word in style]].argmax())
                      for row, style in zip(logits, chosen, strict=True)]
    gold = [answer for _, answer in cases]
    return score(metric, gold, [p / 5 for p in predicted] if metric == "pearson" else predicted) or 0.0


def _cases(skill: str, count: int, rng: np.random.Generator) -> list[tuple[list[int], float]]:
    """(ids of the texts, answer) of rows of the suites, from the skill's own tasks if it has any."""
    fields, graded = SKILLS[skill].fields, SKILLS[skill].labels == GRADES
    tasks = [task for task in SUITE if task.skill == skill] or [t for t in SUITE if SKILLS[t.skill].fields == fields]
    pool = [row.texts for task in tasks for rows in suite_rows(task.name) for row in rows]
    left = dict.fromkeys(range(SKILLS[skill].labels), count // SKILLS[skill].labels)
    chosen = []
    for index in rng.permutation(len(pool)):
        answer = certify(skill, *pool[index])
        if answer is None or (not graded and not left[int(answer)]):
            continue
        left[int(answer)] -= 1
        chosen.append((_ids(pool[index]), float(answer)))
        if len(chosen) == count or not (graded or any(left.values())):
            break
    return chosen


def _ids(texts: tuple[str, ...]) -> list[int]:
    names = ("sentence:",) if len(texts) == 1 else ("sentence1:", "sentence2:")
    ids = vocabulary_ids()
    return [ids[word] for name, text in zip(names, texts, strict=True) for word in (name, *plain(text))] + [ids[EOS]]


def main() -> None:
    """Print the skill table of a backbone folder."""
    parser = argparse.ArgumentParser(prog="python -m compt_core.demo.skills", description=main.__doc__)
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--backbone", type=Path, default=root / "assets" / "demo-t5")
    model = T5ForConditionalGeneration.from_pretrained(parser.parse_args().backbone, dtype=torch.float32).eval()
    print(f"{'skill':10}  {'metric':8}  taught words  held-out words")
    for skill, (metric, taught, held_out) in skill_table(model).items():
        print(f"{skill:10}  {metric:8}  {taught:12.3f}  {'' if held_out is None else format(held_out, '14.3f')}")


if __name__ == "__main__":
    main()
