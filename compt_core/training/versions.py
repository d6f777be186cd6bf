"""What a run's result depends on besides its settings, and whether a checkpoint still matches it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import torch

from compt_core import __version__
from compt_core.backbone.load import Backbone
from compt_core.methods.block import Starts
from compt_core.settings.config import RunConfig
from compt_core.tasks.fewshot import held_out_digest
from compt_core.tasks.spec import TaskData
from compt_core.training.events import Checkpoint


def versions(backbone: Backbone, config: RunConfig, data: Sequence[TaskData],
             starts: Starts = MappingProxyType({})) -> dict[str, Any]:
    """What a run's result depends on besides its settings; of given first prompts, their digest."""
    packages = {name: version(name) for name in ("torch", "transformers", "entmax", "numpy")}
    return {"compt": __version__, "packages": packages, "backbone": backbone.describe(),
            "data": {d.task.name: d.digest for d in data},
            "tasks": {d.task.name: d.task.digest(config.prefix) for d in data},
            "held_out": {d.task.name: held_out_digest(config, d) for d in data} if config.select == "best" else {},
            **({"init": {part: sha256(array.tobytes()).hexdigest()[:16] for part, array in starts.items()}}
               if starts else {}), "threads": torch.get_num_threads()}


def continues(checkpoint: Checkpoint, versions: Mapping[str, Any]) -> bool:
    """Whether a run has the same backbone and data as when its checkpoint was taken."""
    before = checkpoint.versions
    hashes = [about.get("backbone", {}).get("hash") for about in (before, versions)]
    return hashes[0] == hashes[1] and before.get("data") == versions["data"] \
        and before.get("tasks") in (None, versions["tasks"]) and before.get("held_out", {}) == versions["held_out"] \
        and before.get("init") == versions.get("init")
