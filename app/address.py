"""What may stand in the address of each page, pure: all else that a link brings is said, not silently left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from app.learn import board
from app.ui import state
from compt_core.errors import nearest, quoted

_MOST_NAMED = 3  # unknown names in a sentence
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


def twice(name: str, values: Sequence[str]) -> str:
    """The sentence for a name with several values where there can be one."""
    return f"This link gives '{name}' {len(values):,} times: {quoted(values[-1])} is used. Leave the others out."


def left_out(names: Sequence[str], what: str, known: Collection[str]) -> str:
    """The sentence for unknown names (not empty)."""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"This link also sets {', '.join(map(quoted, names[:_MOST_NAMED]))}{more}, which is {what}: left out." \
           + nearest(names[0], known)
