"""(run, edit) -> scores: the changed prompts go through the run's own backbone, on the dev rows it was scored on.

A task that an edit does not change keeps the numbers that the run stored; nothing is computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary, ref

import numpy as np
import torch

from compt_core.analysis.answers import scored_rows, stored_predictions
from compt_core.backbone.load import Backbone
from compt_core.errors import BackboneError, ConfigError, Issue
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.scoring.score import score_task
from compt_core.tasks.batches import EncodedRow, encode_rows
from compt_core.tasks.spec import Row, Task
from compt_core.training.fleet_run import shared_backbone
from compt_core.training.plan import encode_with
from compt_core.whatif.change import Change, compare
from compt_core.whatif.compose import changed
from compt_core.whatif.edit import read
from compt_core.whatif.trained import taken_apart

# (reference, digest) -> backbone, as long as something else holds it: this module keeps no model in memory itself.
_FOUND: WeakValueDictionary[tuple[str, str | None], Backbone] = WeakValueDictionary()
_MANY = 5000  # dev rows, beyond which their tokens are not kept


@dataclass(frozen=True)
class Edited:
    """One task under an edit: label scores [n, C], predictions [n] and what changed; `stored` if nothing did."""

    scores: np.ndarray
    predicted: np.ndarray
    change: Change
    stored: bool


def backbone_of(run: RunRecord) -> Backbone:
    """The backbone that a run was trained on, loaded once per process; until then each call looks for its files (or
    the hub) again. Raises BackboneError if the files have changed or cannot be loaded."""
    name, trained_on = run.config["backbone"], run.backbone.get("hash")
    backbone = _FOUND.get((name, trained_on)) or shared_backbone(name)
    if backbone.digest != trained_on:
        raise BackboneError(f"The backbone '{name}' is not the one that this run was trained on: its files have "
                            "changed. Put them back, or train the run again.")
    _FOUND[name, trained_on] = backbone
    return backbone


def prompts_of(store: Store, run: RunRecord, text: str) -> dict[str, np.ndarray]:
    """Task -> edited prompt [L, H], for every task of a completed run of `store` that an edit (as text) changes.

    Raises ConfigError for a wrong edit, StoreError for a blend with a run that the store does not have.
    """
    trained = taken_apart(run, store.prompts(run.id))
    edit = read(text, trained)
    if edit.blend is None:
        return changed(trained, edit)
    other = store.run(edit.blend[0])
    if run.backbone.get("hash") != other.backbone.get("hash"):
        raise ConfigError([Issue("edit", f"A blend needs two runs on the same backbone. Run '{other.id}' was trained "
                                         "on another one; choose a run of this experiment.")])
    return changed(trained, edit, taken_apart(other, store.prompts(other.id)))


def dev_rows(run: RunRecord, task: str, backbone: Backbone) -> tuple[tuple[Row, ...], list[EncodedRow]]:
    """The dev rows of a task that a run was scored on, as rows and as the backbone reads them. Raises DataError if the
    data are no longer the run's."""
    rows, own, config = scored_rows(run, task), run.tasks.needed(task), run.settings
    if len(rows) > _MANY:
        return rows, encode_with(backbone.tokenizer, config, own, rows)
    return rows, _encoded(ref(backbone.tokenizer), own, rows, config.prefix, config.position, config.max_tokens)


@lru_cache(maxsize=32)  # the tasks of a few runs: a visitor edits one run again and again
def _encoded(tokenizer: ref[Any], task: Task, rows: tuple[Row, ...], prefix: str, position: str, max_tokens: int
             ) -> list[EncodedRow]:
    return encode_rows(tokenizer(), task, rows, prefix=prefix, position=position, max_tokens=max_tokens)


def apply(run: RunRecord, scores: Mapping[str, np.ndarray], composed: Mapping[str, np.ndarray],
          prompts: Mapping[str, np.ndarray], tasks: Sequence[str] | None = None) -> Iterator[tuple[str, Edited]]:
    """(task, answers) of the run's `tasks` (default: all), one after another.

    scores    task -> label scores [n, C] that the run stored
    composed  task -> prompt [L, H] as trained
    prompts   task -> edited prompt [L, H] of the tasks that an edit changes (`compose.changed`)
    Raises DataError or BackboneError if definition, data or backbone are not the run's; data and backbone are needed
    only for a task that changed.
    """
    for name in tasks if tasks is not None else run.config["tasks"]:
        task = run.tasks.needed(name)
        if name not in prompts:
            kept = (run.result or {})["tasks"][name]
            metric = run.tasks.metrics(name, kept)[0]
            value = kept[metric]
            yield name, Edited(scores[name], stored_predictions(run, task, scores[name]),
                               Change(name, metric, value, value, None, None), stored=True)
            continue
        backbone = backbone_of(run)
        rows, encoded = dev_rows(run, name, backbone)
        asked = {"": prompts[name]} if reckons_alike(run, backbone) else {"": prompts[name], "trained": composed[name]}
        found = score_task(backbone, task, rows, encoded,
                           {key: torch.from_numpy(prompt).to(backbone.device) for key, prompt in asked.items()},
                           prefix=run.settings.prefix, scoring=run.settings.scoring, similarity=run.settings.similarity)
        before = found["trained"].predicted if "trained" in found else stored_predictions(run, task, scores[name])
        yield name, Edited(found[""].scores, found[""].predicted, compare(task, rows, before, found[""].predicted),
                           stored=False)


def reckons_alike(run: RunRecord, backbone: Backbone) -> bool:
    """Whether a run was scored in the arithmetic of `backbone`. If not, its trained prompts are scored again with the
    edited ones; otherwise rounding (bfloat16 on a GPU, float32 on a CPU) would look like an effect of the edit."""
    here = backbone.describe()
    return all(run.backbone.get(name, "").split(":")[0] == here[name].split(":")[0] for name in ("device", "dtype"))
