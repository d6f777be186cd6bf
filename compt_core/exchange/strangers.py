"""Prompts of other programs as a run: scored here, edited in What-if, and set beside others in a table. Loads no torch.

Such a run goes the way of every run. It starts from the given prompts and takes one step with a learning rate of 0, so
that it ends with exactly these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compt_core.backbone.load import find_backbone
from compt_core.errors import ConfigError, DataError, Issue, plural, quoted
from compt_core.runs.starts import prompts_of_file
from compt_core.settings.config import Experiment, build_experiment

STILL: dict[str, Any] = {"method": "pt", "encoder": "none", "lr_private": 0.0, "weight_decay_prompt": 0.0}
_NOT_IN_A_NAME = re.compile(r"[^\w .+@-]+")


def experiment(path: Path, given: Mapping[str, Any]) -> tuple[Experiment, list[str]]:
    """(an experiment of one run with these prompts, sentences on what is used of them) from a folder with an adapter
    of peft or a file of prompts, and settings: at least the tasks, one for each prompt, or one prompt for all.

    Raises ConfigError and DataError.
    """
    if not given.get("tasks"):
        raise ConfigError([Issue("tasks", "Prompts need the names of their tasks, in the order of the prompts. Give "
                                          "them with --tasks a,b.")])
    if not path.exists():
        raise DataError(f"There is no file or folder {quoted(str(path), 200)}. Name a folder with an adapter of peft, "
                        "a .safetensors or .npy file with prompts, or a .zip that 'export --format bundle' wrote.")
    notes = list[str]()
    files = find_backbone(str(given.get("backbone", "demo")))
    prompts = prompts_of_file(path.absolute(), files.hidden, notes)
    names, shape = list(prompts.names["composed"]), prompts.kinds["composed"].shape
    draft = build_experiment({**given, "methods": ["pt"]})
    if len(names) not in (1, len(draft.tasks)):
        raise ConfigError([Issue("tasks", "There must be one task for each prompt, or one prompt for all tasks. Got "
                                          f"{plural(len(draft.tasks), 'task')} and {plural(len(names), 'prompt')} in "
                                          f"'{path}'; change --tasks.")])
    which = "@" + "+".join(names) if len(names) > 1 else ""
    row = _NOT_IN_A_NAME.sub(" ", path.absolute().stem).strip() or "imported"
    own = {**STILL, "prompt_length": int(shape[1]), "init": [f"private={path.absolute()}:composed{which}"]}
    start = {"position": "before_all", "steps": 1, "batch": len(draft.tasks), "shots": [_SHOTS], "seeds": [0],
             "watch_rows": 0}
    return build_experiment({**start, **given, "variants": {row: own}}), notes


_SHOTS = 8  # that are drawn for its one step, and change nothing
