"""Prompts of a fleet while it trains, for the map of prompts over training; training itself never uses them.

A snapshot is a sketch (:func:`compt_core.composition.geometry.sketch`), because nobody needs the prompts of an early
step to the last digit. So what is kept of a run does not grow with H or P: at most 12 snapshots of half a kilobyte per
prompt (a run of 12 tasks and 4 sources: 170 kB).
"""

from __future__ import annotations

from collections.abc import Mapping

from compt_core.composition.geometry import groups, sketch
from compt_core.training.events import Event, OnEvent
from compt_core.training.fleet import Fleet
from compt_core.training.inspection import prompts_now
from compt_core.training.watch import Watch


def snapshots(fleet: Fleet, on_event: OnEvent) -> Watch:
    """A function that reports the present "prompts" [N, 1 + d] of runs: a sketch per prompt, in the order of
    :func:`compt_core.composition.geometry.prompts_of`."""
    def take(at: Mapping[str, int]) -> None:
        for block in fleet.blocks:
            due = [(r, run) for r, run in enumerate(block.runs) if run in at]
            if not due:
                continue
            now = {part: prompts.double().cpu().numpy() for part, prompts in prompts_now(block).items()}
            for r, run in due:
                kept = sketch([one for name in groups(now, repeats=block.method.repeats) for one in now[name][r]])
                on_event(Event(run, "prompts", at[run], tuple(kept.ravel().tolist())))

    return take
