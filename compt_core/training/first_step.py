"""What is wrong with a run that cannot take its first step. Nothing was learned by then: no rate is to blame."""

from __future__ import annotations

import math

import numpy as np
import torch

from compt_core.backbone.load import Backbone
from compt_core.scoring.score import label_scores
from compt_core.settings.config import RunConfig
from compt_core.training.plan import RunPlan

_KNOWN = 1e-3  # loss at which a gradient may be 0 everywhere: every label is certain before any training


def problem(backbone: Backbone, run: str, plan: RunPlan, loss: float, norm: float) -> str | None:
    """Why a run whose first loss and norm of gradients are these must not go on; None where both are as they should be.

    Only where they are not, the rows of the step go through the backbone once more, without a prompt.
    """
    about = backbone.describe()
    named = f"backbone '{about['id']}' ({about['device']}, {about['dtype']})"
    if not math.isfinite(loss + norm):
        start = f"The loss or gradient of run '{run}' is not finite at step 1, before anything was learned"
        if not _finite_without_prompt(backbone, plan):
            return (f"{start}: without a prompt, too, the {named} gives no finite numbers. Its weights are broken or "
                    "too large for this type; save or download it again, or choose another one.")
        wide = plan.config.encoder != "none" and plan.config.init_range > RunConfig.model_fields["init_range"].default
        return (f"{start}, so that no learning rate is the cause. Without a prompt the {named} is finite: " + (
            f"the first prompts are too large for it. Lower init_range (now {plan.config.init_range:g})." if wide else
            "its weights are too large for this type under a prompt. Choose another one."))
    if norm == 0 and loss > _KNOWN:
        return (f"All gradients of run '{run}' are 0 at step 1, at a loss of {loss:.2f}: nothing reaches its prompts "
                f"through the {named}, whatever the learning rates. Its weights are 0, or too small or too large for "
                "this type; save or download it again, or choose another one.")
    return None


def _finite_without_prompt(backbone: Backbone, plan: RunPlan) -> bool:
    rows, none = plan.batch(0), {"": torch.zeros(0, backbone.hidden, device=backbone.device)}
    words = list(dict.fromkeys(example.target for example in rows))
    return bool(np.isfinite(label_scores(backbone, [example.row for example in rows], none, words, "sum")[""]).all())
