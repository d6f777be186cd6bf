"""The opened run's backbone, as the bench uses it: loaded when first needed; a session reads no text twice."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st

from app.whatif.bench.prompts import EDITED, Side
from compt_core.analysis.answers import trained_rows
from compt_core.runs.record import RunRecord
from compt_core.settings.config import RunConfig
from compt_core.tasks.spec import Row, Task
from compt_core.whatif.answer import Answer, answers
from compt_core.whatif.texts import Texts

_KEPT = 2000  # label scores that a session remembers, each of one text under one prompt
_MEMO = "bench_scores"


@dataclass
class Reader:
    """Answers texts with the prompts of one task. Raises BackboneError if the backbone is not the run's, or cannot be
    loaded."""

    run: RunRecord
    task: Task
    side: Side
    backbone: Any = field(init=False)
    config: RunConfig = field(init=False)

    def __post_init__(self) -> None:
        with st.spinner("Loading the frozen backbone, once …", show_time=False):
            from compt_core.whatif.apply import backbone_of  # torch

            self.backbone = backbone_of(self.run)
        self.config = self.run.settings

    def answers(self, texts: Sequence[Texts], names: Sequence[str] | None = None) -> dict[str, list[Answer]]:
        """An answer to each text under each prompt (`names` from `side`; all by default)."""
        scores = self._scores(texts, names or self.side.names)
        return {name: answers(self.task, found, self.run.config) for name, found in scores.items()}

    def cut(self, texts: Texts) -> bool:
        """Whether part of the texts lies beyond max_tokens and is not read."""
        from compt_core.whatif import bench

        return bench.cut(self.backbone, self.config, self.task, texts)

    def nearest(self, texts: Texts, most: int) -> tuple[list[Any], int]:
        """(rows that the run trained on, nearest first, as `bench.Neighbour`; how many it trained on). Raises DataError
        if its data are no longer there."""
        from compt_core.whatif import bench

        rows = trained_rows(self.run, self.task.name)
        prompt = self.side.prompts[self.side.opened]
        return bench.nearest(self.backbone, self.config, self.task, texts, rows, prompt, most), len(rows)

    def edited_answers(self, rows: Sequence[Row]) -> np.ndarray:
        """Predictions [n] on the task's dev rows under the edited prompt. The backbone remembers them if the What-if
        page has already scored them."""
        import torch

        from compt_core.scoring.score import score_task
        from compt_core.training.plan import encode_with

        encoded = encode_with(self.backbone.tokenizer, self.config, self.task, rows)
        prompt = torch.from_numpy(self.side.prompts[EDITED]).to(self.backbone.device)
        return score_task(self.backbone, self.task, rows, encoded, {EDITED: prompt}, prefix=self.config.prefix,
                          scoring=self.config.scoring, similarity=self.config.similarity)[EDITED].predicted

    def _scores(self, texts: Sequence[Texts], names: Sequence[str]) -> dict[str, np.ndarray]:
        """Label scores [n, C] by name; all that this session does not have yet are computed in the same passes."""
        from compt_core.whatif import bench

        memo: OrderedDict[Any, np.ndarray] = st.session_state.setdefault(_MEMO, OrderedDict())
        keys = {name: (self.run.experiment, self.task.name, _digest(self.side.prompts[name])) for name in names}
        found = {(name, one): memo[keys[name], one] for name in names for one in texts if (keys[name], one) in memo}
        fresh = [one for one in dict.fromkeys(texts) if any((name, one) not in found for name in names)]
        wanted = {name: self.side.prompts[name] for name in names if any((name, one) not in found for one in fresh)}
        if fresh:
            for name, scores in bench.scores(self.backbone, self.config, self.task, fresh, wanted).items():
                for one, score in zip(fresh, scores, strict=True):
                    found[name, one] = memo[keys[name], one] = score
        while len(memo) > _KEPT:
            memo.popitem(last=False)
        return {name: np.stack([found[name, one] for one in texts]) for name in names}


def _digest(prompt: np.ndarray) -> str:
    return hashlib.sha256(repr(prompt.shape).encode() + np.ascontiguousarray(prompt).tobytes()).hexdigest()
