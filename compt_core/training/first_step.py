"""Why a run cannot take its first step. Nothing was learned by then, so no learning rate is to blame."""

from __future__ import annotations

import math

import numpy as np
import torch

from compt_core.backbone.load import Backbone
from compt_core.scoring.score import label_scores
from compt_core.settings.config import RunConfig
from compt_core.training.plan import RunPlan

_KNOWN = 1e-3  # up to this loss all gradients may be 0: every label is certain before any training


def problem(backbone: Backbone, run: str, plan: RunPlan, loss: float, norm: float) -> str | None:
    """Why a run with this first loss and gradient norm must not continue; None if both are as they should be.

    Only if they are not, the rows of the step go through the backbone once more, without a prompt.
    """
    about = backbone.describe()
    named = f"backbone '{about['id']}' ({about['device']}, {about['dtype']})"
    if not math.isfinite(loss + norm):
        start = f"The loss or gradient of run '{run}' is not finite at step 1, before anything was learned"
        if not _finite_without_prompt(backbone, plan):
            return (f"{start}: the {named} gives no finite numbers even without a prompt. Its weights are broken or "
                    "too large for this type; save or download it again, or choose another backbone.")
        wide = plan.config.encoder != "none" and plan.config.init_range > RunConfig.model_fields["init_range"].default
        return (f"{start}, so no learning rate is the cause. Without a prompt the {named} gives finite numbers: " + (
            f"the first prompts are too large for it. Lower init_range (now {plan.config.init_range:g})." if wide else
            "with a prompt its weights are too large for this type. Choose another backbone."))
    if norm == 0 and loss > _KNOWN:
        return (f"All gradients of run '{run}' are 0 at step 1, at a loss of {loss:.2f}: no gradient reaches its "
                f"prompts through the {named}, whatever the learning rates. Its weights are 0, or too small or too "
                "large for this type; save or download it again, or choose another backbone.")
    return None


def _finite_without_prompt(backbone: Backbone, plan: RunPlan) -> bool:
    rows, none = plan.batch(0), {"": torch.zeros(0, backbone.hidden, device=backbone.device)}
    words = list(dict.fromkeys(example.target for example in rows))
    return bool(np.isfinite(label_scores(backbone, [example.row for example in rows], none, words, "sum")[""]).all())
