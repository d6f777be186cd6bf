"""What may stand in the address of each page, pure: all else that a link brings is said, not silently left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from app.learn import board
from app.ui import state
from app.ui.address import left_out, twice

_OPEN = {state.EXPERIMENT, state.RUN}
_WEIGHTS = {*_OPEN, state.OF, state.ORDER, state.TASK}
NAMES: Mapping[str, Collection[str]] = {  # Launch has those of the settings, and says itself what is none (links)
    "home": (),
    "learn": {state.EXPERIMENT, board.STEP, board.PRESENT, board.CONTROLS, *board.VALUES},
    "runs": {*_OPEN, state.CURVES, state.SHOTS, state.FOLLOW},
    "accuracy": {*_OPEN, state.ORDER, state.VIEW, state.SHOTS, state.METRIC, state.TASK, state.METHOD, state.SEED},
    "attention": {*_WEIGHTS, state.STEP, state.SOURCE, state.WITH},
    "gates": _WEIGHTS,
    "whatif": {*_OPEN, state.EDIT, state.PART, state.TASK, state.ROW, state.ROWS, state.LENS, *state.TEXTS, state.OF,
               state.ORDER, state.MEASURE, state.RENORMALISE, state.CONTROL, state.SOURCE},
    "space": {*_OPEN, state.WITH, state.GROUPS, state.BY, state.MAP, state.POINTS, state.PERPLEXITY, state.TASK,
              state.PROMPT, state.NEAR, state.FOREIGN},
}


def problems(page: str, given: Mapping[str, Sequence[str]]) -> list[str]:
    """What a link to `page` gives in vain or twice, as sentences; `given` are its values by name."""
    if page not in NAMES:
        return []
    found = [twice(name, values) for name, values in given.items() if name in NAMES[page] and len(values) > 1]
    unknown = [name for name in given if name not in NAMES[page]]
    if unknown:
        meant = next((value for name in unknown for value in given[name] if value in NAMES), "")
        hint = f" The page '{meant}' has the address /{meant if meant != 'home' else ''}." if meant else ""
        found.append(left_out(unknown, "nothing that this page knows", NAMES[page]) + hint)
    return found
