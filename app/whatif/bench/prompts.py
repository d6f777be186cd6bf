"""Which prompts are compared: no prompt, each row's with the opened run's shots and seed, and the edited one.

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

EditedPrompt = Callable[[str], np.ndarray | None]  # task -> prompt [L, H]; None if the edit leaves it as trained


@dataclass(frozen=True)
class Side:
    """The prompts [L, H] of one task by name (NO_PROMPT, EDITED, or a row of the comparison), the name of the opened
    run's prompt, a plain sentence for each prompt that is missing, and the looks of the rows."""

    prompts: dict[str, np.ndarray]
    opened: str
    missing: tuple[str, ...]
    looks: Mapping[str, styles.Look]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.prompts)

    @property
    def own(self) -> tuple[str, ...]:
        """The opened run's name and, if there is one, the edit's."""
        return tuple(name for name in (self.opened, EDITED) if name in self.prompts)

    def called(self, name: str) -> str:
        """A prompt's name for people."""
        if name in self.looks:
            return styles.label(name) + (" (this run)" if name == self.opened else "")
        return {NO_PROMPT: "no prompt", EDITED: "this run, edited"}[name]


def side(rows: Mapping[str, str], runs: Sequence[RunRecord], run: RunRecord, task: str,
         edited: EditedPrompt | None) -> Side:
    """The prompts of `task` to compare with those of `run`. Raises StoreError if the run's own are lost."""
    own = _prompt(run, task)
    prompts = {NO_PROMPT: np.zeros((0, own.shape[1]), dtype=np.float32)}
    missing = []
    beside = mates(runs, run)
    for method in rows:
        mate = beside.get(method)
        if mate is None:
            missing.append(f"{styles.label(method)}: it has no completed run with {plural(run.shots, 'shot')} and seed "
                           f"{run.seed} in this experiment.")
        elif mate.backbone.get("hash") != run.backbone.get("hash"):
            missing.append(f"{styles.label(method)}: its run {mate.id} was trained with other backbone weights.")
        else:
            try:
                prompts[method] = own if method == run.variant else _prompt(mate, task)
            except StoreError as error:
                missing.append(f"{styles.label(method)}: {error}")
    if edited is not None and (changed := edited(task)) is not None:
        prompts[EDITED] = changed
    elif edited is not None:
        missing.append("this run, edited: the edit does not change this task.")
    return Side(prompts, run.variant, tuple(missing), styles.looks(rows))


def mates(runs: Sequence[RunRecord], run: RunRecord) -> dict[str, RunRecord]:
    """Row -> its completed run with the same shots and seed as `run`, including `run` itself."""
    return {one.variant: one for one in finished(runs) if (one.shots, one.seed) == (run.shots, run.seed)} | \
        {run.variant: run}


def _prompt(run: RunRecord, task: str) -> np.ndarray:
    kept = services.store().prompts(run.id).get("composed")
    tasks = run.config["tasks"]
    if kept is None or len(kept) != len(tasks):
        raise StoreError(f"The prompts of run '{run.id}' are not in the store. Train it again, or open another run.")
    prompt: np.ndarray = kept[tasks.index(task)]
    return prompt
