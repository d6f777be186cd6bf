"""What a T5 knows of each task before any training, by wording. ``python benchmarks/wording.py --data-dir DIR``

For every task with data and each prefix style, on --rows dev rows without a prompt: accuracy, accuracy after the label
scores were shifted by their medians (all that a prompt can gain by making one label likelier), and for two labels the
area under the ROC curve (.5: the scores say nothing of the right label, whatever the shift).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import setting  # noqa: F401  # makes compt_core importable from anywhere
import torch
from sklearn.metrics import roc_auc_score

from compt_core.backbone.load import Backbone, find_backbone, load_backbone
from compt_core.scoring.score import label_scores
from compt_core.tasks.batches import encode_rows, label_ids
from compt_core.tasks.fewshot import sample_dev
from compt_core.tasks.files import load_task
from compt_core.tasks.selections import place
from compt_core.tasks.spec import TaskData
from compt_core.tasks.table import TASKS

STYLES: Final = ("neutral", "native", "question")
NUMBERS: Final = ("accuracy", "shifted", "area", "majority")


def known(backbone: Backbone, data: TaskData, style: str, rows: int) -> dict[str, Any]:
    """What the backbone knows of a task in one wording."""
    task, chosen = data.task, sample_dev(data, rows)
    encoded = encode_rows(backbone.tokenizer, task, chosen, prefix=style, position="after_prefix", max_tokens=128)
    none = {"": torch.zeros(0, backbone.hidden, device=backbone.device)}
    scores = label_scores(backbone, encoded, none, label_ids(backbone.tokenizer, task.words(style)), "sum")[""]
    gold = np.array([row.label for row in chosen])
    shifted = scores - np.median(scores, axis=0)
    area = roc_auc_score(gold, scores[:, 1] - scores[:, 0]) if scores.shape[1] == 2 else None
    return {"task": task.name, "style": style, "rows": len(chosen), "words": task.words(style)[:4],
            "majority": round(float(np.bincount(gold).max() / len(gold)), 4),
            "accuracy": round(float((scores.argmax(1) == gold).mean()), 4),
            "shifted": round(float((shifted.argmax(1) == gold).mean()), 4),
            "area": None if area is None else round(float(area), 3)}


def main() -> None:
    """Print what the backbone knows of each task, by wording."""
    parser = argparse.ArgumentParser(prog="python benchmarks/wording.py", description=main.__doc__)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--backbone", default="english")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    backbone, found = load_backbone(find_backbone(given.backbone)), []
    for name, task in TASKS.items():
        if task.numeric or not (place(given.data_dir) / name).is_dir():
            continue
        data = load_task(task, given.data_dir)
        for style in STYLES:
            if style == "neutral" or (style == "native" and task.native) or (style == "question" and task.question):
                found.append(one := known(backbone, data, style, given.rows))
                print(f"{name:16} {style:9} " + "  ".join(f"{key} {one[key] or 0:.3f}" for key in NUMBERS),
                      one["words"], flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
