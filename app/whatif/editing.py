"""What moving one control does to an edit, and an edit in words, item by item. Pure.

A choice for all tasks replaces the choices for single tasks. A choice that equals what was trained is removed from the
edit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.show.captions import listed, literal
from compt_core.methods.parts import GATES_OF_FORM
from compt_core.whatif.edit import ALL, TRAINED, UNIFORM, Edit, Row

Item = tuple[str, Edit]  # what an edit does, in words; the edit without it
_WITHOUT = {"alpha": "the private prompt is left out (alpha 0)", "beta": "the shared part is left out (beta 0)"}
_GATES = {"alpha": "alpha (private)", "beta": "beta (shared)"}


def put(edit: Edit, part: str, scope: str, value: Any | None) -> Edit:
    """`part` ("rows", "mute", "private", "alpha" or "beta") set for `scope`, a task or ALL; None undoes it."""
    before: Mapping[str, Any] = getattr(edit, part)
    kept = {} if scope == ALL else {task: one for task, one in before.items() if task != scope}
    after = kept if value is None else {**kept, scope: value}
    return _changed(edit, part, after)


def _changed(edit: Edit, part: str, after: Mapping[str, Any]) -> Edit:
    parts: dict[str, Callable[[], Edit]] = {
        "rows": lambda: replace(edit, rows=after), "mute": lambda: replace(edit, mute=after),
        "private": lambda: replace(edit, private=after), "alpha": lambda: replace(edit, alpha=after),
        "beta": lambda: replace(edit, beta=after)}
    return parts[part]()


def private_of(edit: Edit, task: str, other: str) -> Edit:
    """Gives `task` the private prompt of `other` (of itself: its own), and ends a swap that it was part of."""
    before = edit.of("private", task)
    if before not in (None, task) and edit.private.get(before) == task:
        edit = _lacking(edit, "private", before)
    return put(edit, "private", task, other if other != task or ALL in edit.private else None)


def swapped(edit: Edit, task: str, on: bool) -> Edit:
    """The task whose private prompt `task` uses gets the one of `task` in return, or (not `on`) its own again."""
    other = edit.of("private", task)
    return edit if other is None else put(edit, "private", other, task) if on else _lacking(edit, "private", other)


def items(edit: Edit) -> list[Item]:
    """Everything that an edit does, in words (Markdown), each item with the edit that is left without it."""
    found: list[Item] = []
    if edit.normalizer:
        found.append((f"weights computed again by **{edit.normalizer}**", replace(edit, normalizer=None)))
    for task, row in edit.rows.items():
        found.append((f"{_whose(task)}: attention {_row(row)}", _lacking(edit, "rows", task)))
    for task, sources in edit.mute.items():
        scaled = ", the rest scaled up" if edit.renormalise else ""
        said = f"source{'s' if len(sources) > 1 else ''} {listed([f's{s}' for s in sources])} muted{scaled}" \
            if sources else "no source muted"
        found.append((f"{_whose(task)}: {said}", _lacking(edit, "mute", task)))
    for task, other in edit.private.items():
        found.append((f"{_whose(task)}: the private prompt of **{literal(other)}**", _lacking(edit, "private", task)))
    for name in ("alpha", "beta"):
        gates: Mapping[str, float] = getattr(edit, name)
        for task, gate in gates.items():
            said = f"{_GATES[name]} = {gate:.2f}" if gate else _WITHOUT[name]
            found.append((f"{_whose(task)}: {said}", _lacking(edit, name, task)))
    if edit.blend:
        found.append((f"all tasks: {100 * edit.blend[1]:.0f}% of the way to the prompts of run "
                      f"**{literal(edit.blend[0])}**", replace(edit, blend=None)))
    return found


def acts(form: str, gate: str, part: str) -> str:
    """What moving a gate does to its `part` in a run whose parts are joined by `form`."""
    left_out = f"At 0 the {part} is left out."
    if f"gate.{gate}" not in GATES_OF_FORM[form]:
        return (f"The form {form} has no {gate}, but this slider multiplies the {part} all the same; 1 is as trained. "
                f"{left_out}")
    ratio = "Only the ratio of alpha to beta matters (form mean). " if form == "mean" else ""
    return f"{ratio}{left_out}"


def sentence(edit: Edit) -> str:
    """An edit in one line of plain words."""
    return "; ".join(words for words, _ in items(edit)).replace("**", "").replace("\\", "") or "nothing changed"


def carries_over(edit: Edit) -> bool:
    """Whether an edit means the same in another seed's run: it names no source, sets no weights and blends nothing.

    The order of sources is arbitrary, so s0 of one run is not s0 of another.
    """
    named = any(sources for sources in edit.mute.values()) or edit.blend is not None
    return not named and all(row == UNIFORM or (isinstance(row, str) and not is_source(row))
                             for row in edit.rows.values())


def is_source(row: Row) -> bool:
    """Whether a row of an edit names a single source."""
    return isinstance(row, str) and row[:1] == "s" and row[1:].isdigit()


def _lacking(edit: Edit, part: str, scope: str) -> Edit:
    before: Mapping[str, Any] = getattr(edit, part)
    return _changed(edit, part, {task: one for task, one in before.items() if task != scope})


def _whose(task: str) -> str:
    return "all tasks" if task == ALL else f"**{literal(task)}**"


def _row(row: Row) -> str:
    if row in (UNIFORM, TRAINED):
        return "uniform" if row == UNIFORM else "as trained"
    if isinstance(row, str):
        return f"on {row} alone" if is_source(row) else f"as that of **{literal(row)}**"
    return f"set to {_numbers(row)}"


def _numbers(row: Sequence[float]) -> str:
    return listed([f"{one:.2f}" for one in row])
