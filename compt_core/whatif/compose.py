"""(run, edit) -> composed prompts. Pure; the paper's own formulas (`compt_core.composition`).

L prompt length · H hidden size. The blend with another run is applied last; :mod:`compt_core.whatif.inside` gives the
order of the other parts of an edit.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from compt_core.composition.combine import FORMS, shared_part
from compt_core.errors import ConfigError, Issue, plural
from compt_core.methods.parts import GATES_OF_FORM
from compt_core.whatif.edit import Edit
from compt_core.whatif.inside import Inside, as_trained, edited, same
from compt_core.whatif.trained import Trained


def changed(trained: Trained, edit: Edit, other: Trained | None = None) -> dict[str, np.ndarray]:
    """Task -> composed prompt [L, H], for exactly the tasks whose composition the edit changes.

    L is the run's own, less a concatenated part whose gate the edit sets to 0. `other` is the run that the edit
    blends with; tasks that it does not have stay as they are. Raises ConfigError if an edit leaves nothing of a task's
    prompt, or blends prompts of different sizes.
    """
    before, after = as_trained(trained), edited(trained, edit)
    touched = [k for k in range(len(trained.tasks)) if not same(before, after, k)]
    prompts = {trained.tasks[k]: _composed(trained, after, k) for k in touched}
    if other is not None and edit.blend is not None:
        prompts = _blended(trained, prompts, other, edit.blend[1])
    return prompts


def _composed(trained: Trained, inside: Inside, k: int) -> np.ndarray:
    """The composed prompt [L, H] of one task in the run's own form; a part whose gate is 0 is left out.

    If the form has no gate for a part (gated_sum has none for the shared part), the edit's gate multiplies the part all
    the same; as trained, it is 1.
    """
    private = None if trained.private is None else torch.from_numpy(trained.private[inside.private[k]])
    if trained.source is None or inside.weights is None:
        assert private is not None  # in MST only the blend can be edited
        return private.numpy()
    assert private is not None
    alpha, beta = torch.tensor([[inside.alpha[k]]]), torch.tensor([[inside.beta[k]]])
    mix = shared_part(torch.from_numpy(inside.weights[k])[None, None], torch.from_numpy(trained.source)[None])
    shared, own = (part[0, 0] for part in FORMS[trained.form](mix, private[None, None], alpha, beta))
    shared = shared if "gate.beta" in GATES_OF_FORM[trained.form] else shared * beta[0, 0]
    own = own if "gate.alpha" in GATES_OF_FORM[trained.form] else own * alpha[0, 0]
    if (inside.alpha[k] == 0 or not own.any()) and (inside.beta[k] == 0 or not shared.any()):
        raise ConfigError([Issue("edit", f"An edit must leave something of the prompt of '{trained.tasks[k]}': alpha "
                                         "and beta must not both be 0, nor alpha 0 and every source muted. Got "
                                         f"alpha={inside.alpha[k]:g}, beta={inside.beta[k]:g} and weights "
                                         f"{', '.join(f'{one:.2g}' for one in inside.weights[k][:8])}; raise one.")])
    return _joined(shared, own, inside, trained, k).numpy()


def _joined(shared: Tensor, own: Tensor, inside: Inside, trained: Trained, k: int) -> Tensor:
    """The two parts as one prompt. A part that the edit switched off is left out; one that was always off stays."""
    if inside.beta[k] == 0 != trained.beta[k]:
        return own
    if inside.alpha[k] == 0 != trained.alpha[k]:
        return shared
    return torch.cat([shared, own]) if trained.form == "concat" else shared + own


def _blended(trained: Trained, prompts: dict[str, np.ndarray], other: Trained, share: float) -> dict[str, np.ndarray]:
    result = dict(prompts)
    for k, task in enumerate(trained.tasks):
        if task not in other.tasks:
            continue
        one, two = prompts.get(task, trained.composed[k]), other.composed[other.tasks.index(task)]
        if one.shape != two.shape:
            raise ConfigError([Issue("edit", f"A blend needs prompts of the same size. Got {_size(one)} for '{task}' "
                                             f"here and {_size(two)} in run '{other.run}'; choose a run with the same "
                                             "prompt length and backbone.")])
        result[task] = ((1 - share) * one + share * two).astype(np.float32)
    return result


def _size(prompt: np.ndarray) -> str:
    return f"{plural(len(prompt), 'vector')} of {plural(prompt.shape[1], 'number')}"
