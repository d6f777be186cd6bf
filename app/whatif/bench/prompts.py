"""Which prompts lie side by side: none, each method's with the opened run's shots and seed, and the edited one.

L prompt length · H hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.show import styles
from app.show.frames import finished
from app.ui import services
from compt_core.errors import StoreError, plural
from compt_core.runs.record import RunRecord

NO_PROMPT, EDITED = "no_prompt", "edited"

EditedPrompt = Callable[[str], np.ndarray | None]  # task -> prompt [L, H]; None where an edit leaves it as trained


@dataclass(frozen=True)
class Side:
    """Prompts [L, H] of one task by name (NO_PROMPT, a row's of the comparison, EDITED), that of the opened run under
    `opened`, a plain sentence for each that should be there and is not, and the looks of the rows."""

    prompts: dict[str, np.ndarray]
    opened: str
    missing: tuple[str, ...]
    looks: Mapping[str, styles.Look]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.prompts)

    @property
    def own(self) -> tuple[str, ...]:
        """The opened run's name and, where there is one, that of the edit."""
        return tuple(name for name in (self.opened, EDITED) if name in self.prompts)

    def called(self, name: str) -> str:
        """A prompt's name as a person reads it."""
        if name in self.looks:
            return styles.label(name) + (" (this run)" if name == self.opened else "")
        return {NO_PROMPT: "no prompt", EDITED: "this run, edited"}[name]


def side(rows: Mapping[str, str], runs: Sequence[RunRecord], run: RunRecord, task: str,
         edited: EditedPrompt | None) -> Side:
    """The prompts of `task` beside those of `run`. Raises StoreError where its own are lost."""
    own = _prompt(run, task)
    prompts = {NO_PROMPT: np.zeros((0, own.shape[1]), dtype=np.float32)}
    missing = []
    beside = mates(runs, run)
    for method in rows:
        mate = beside.get(method)
        if mate is None:
            missing.append(f"{styles.label(method)}: this experiment has no completed run of it with "
                           f"{plural(run.shots, 'shot')} and seed {run.seed}.")
        elif mate.backbone.get("hash") != run.backbone.get("hash"):
            missing.append(f"{styles.label(method)}: its run {mate.id} was trained on other weights of the backbone.")
        else:
            try:
                prompts[method] = own if method == run.variant else _prompt(mate, task)
            except StoreError as error:
                missing.append(f"{styles.label(method)}: {error}")
    if edited is not None and (changed := edited(task)) is not None:
        prompts[EDITED] = changed
    elif edited is not None:
        missing.append("this run, edited: the edit leaves this task as it was trained.")
    return Side(prompts, run.variant, tuple(missing), styles.looks(rows))


def mates(runs: Sequence[RunRecord], run: RunRecord) -> dict[str, RunRecord]:
    """Method -> the completed run with the shots and the seed of `run`, itself among them."""
    return {one.variant: one for one in finished(runs) if (one.shots, one.seed) == (run.shots, run.seed)} | \
        {run.variant: run}


def _prompt(run: RunRecord, task: str) -> np.ndarray:
    kept = services.store().prompts(run.id).get("composed")
    tasks = run.config["tasks"]
    if kept is None or len(kept) != len(tasks):
        raise StoreError(f"The prompts of run '{run.id}' are not in the store. Train it again, or open another run.")
    prompt: np.ndarray = kept[tasks.index(task)]
    return prompt
