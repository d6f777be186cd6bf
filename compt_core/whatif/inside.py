"""(run, edit) -> what enters the composition of every task: attention, private prompts, gates. Pure.

K tasks · S sources. The parts of an edit act in this order: weights computed again by another normaliser, rows
replaced, sources muted; private prompts assigned; gates set. Torch is loaded only for another normaliser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compt_core.whatif.edit import TRAINED, UNIFORM, Edit
from compt_core.whatif.trained import Trained


@dataclass(frozen=True)
class Inside:
    """What enters the composition of every task: attention [K, S] (None if there is none), the index of the task whose
    private prompt each task uses [K], and the gates [K]."""

    weights: np.ndarray | None
    private: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray


def as_trained(trained: Trained) -> Inside:
    """The run without any edit."""
    return Inside(trained.weights, np.arange(len(trained.tasks)), trained.alpha, trained.beta)


def edited(trained: Trained, edit: Edit) -> Inside:
    """What enters the composition after an edit; a task that the edit does not mention keeps every bit."""
    tasks = trained.tasks
    weights = None if trained.weights is None else _weights(trained, edit)
    dealt = [tasks.index(edit.of("private", task) or task) for task in tasks]
    gates = []
    for name, trained_gate in (("alpha", trained.alpha), ("beta", trained.beta)):
        chosen = [edit.of(name, task) for task in tasks]
        gates.append(np.array([old if new is None else new for new, old in zip(chosen, trained_gate, strict=True)],
                              dtype=np.float32))
    return Inside(weights, np.array(dealt), *gates)


def same(before: Inside, after: Inside, k: int) -> bool:
    """Whether task k is composed of exactly the same numbers; a part that is left out does not count."""
    if before.alpha[k] != after.alpha[k] or before.beta[k] != after.beta[k]:
        return False
    own = before.alpha[k] == 0 or before.private[k] == after.private[k]
    shared = before.beta[k] == 0 or before.weights is None or after.weights is None or \
        np.array_equal(before.weights[k], after.weights[k])
    return bool(own and shared)


def _weights(trained: Trained, edit: Edit) -> np.ndarray:
    assert trained.weights is not None
    base = trained.weights
    if edit.normalizer is not None and trained.logits is not None:
        import torch  # not needed to show the run as trained

        from compt_core.composition.normalize import normalise

        base = normalise(torch.from_numpy(trained.logits), edit.normalizer).numpy()
    result = np.stack([_row(trained, edit, base, k) for k in range(len(base))])
    for k, task in enumerate(trained.tasks):
        muted = [s for s in edit.of("mute", task) or () if result[k, s] != 0]
        if muted:
            total = result[k].sum()
            result[k, muted] = 0
            left = result[k].sum()
            if edit.renormalise and left > 0:
                result[k] *= total / left
    return result


def _row(trained: Trained, edit: Edit, base: np.ndarray, k: int) -> np.ndarray:
    row, sources = edit.of("rows", trained.tasks[k]), base.shape[1]
    if row is None or row == TRAINED:
        return base[k]
    if isinstance(row, tuple):
        return np.array(row, dtype=np.float32)
    if row == UNIFORM:
        return np.full(sources, 1 / sources, dtype=np.float32)
    if row in trained.tasks:
        return base[trained.tasks.index(row)]
    return np.eye(sources, dtype=np.float32)[int(row[1:])]
