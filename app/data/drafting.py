"""A task of one's own while it is made: what was chosen -> its definition, and what is wrong with it by field. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from compt_core.errors import ConfigError, DataError, quoted
from compt_core.tasks.definition import MOST_LABELS, NAME_SAID, check_name, parse
from compt_core.tasks.spec import Task

LABEL, NOT_USED = "label", "not used"
MOST_TEXTS = 6
DETAILS = ("title", "description", "family", "prefix", "source", "licence")
OF_CLASSES, OF_NUMBERS = ("accuracy", "macro_f1", "f1", "matthews"), ("pearson", "spearman")


@dataclass(frozen=True)
class Draft:
    """What a person has chosen so far.

    texts    column -> word before it, in reading order
    label    the label column; "" for none yet
    words    label in the data -> its word; "" leaves its rows out; empty for numbers
    numbers  (from, to, step) where the labels are numbers
    files    split -> file name, "train" alone or with "dev"
    share    part of one file's rows that become dev rows, drawn with `seed`
    details  the fields of DETAILS
    rest     lines of an edited definition that the page has no field for
    """

    name: str
    texts: Mapping[str, str]
    label: str
    words: Mapping[str, str]
    files: Mapping[str, str]
    numbers: tuple[float | None, float | None, float | None] | None = None
    share: float | None = 0.2
    seed: int | None = 0
    metrics: Sequence[str] = ()
    positive: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)


def in_order(roles: Mapping[str, str]) -> list[str]:
    """The columns with a text's role, by its number."""
    texts = {column: int(role.removeprefix("text ")) for column, role in roles.items() if role.startswith("text ")}
    return sorted(texts, key=texts.__getitem__)


def choices(roles: Mapping[str, str]) -> list[str]:
    """The roles to choose from for a column: each text so far, one more text, the label, or not used."""
    last = max((int(role.removeprefix("text ")) for role in roles.values() if role.startswith("text ")), default=0)
    most = max(last, min(last + 1, len(roles) - 1, MOST_TEXTS), 1)
    return [*(f"text {number}" for number in range(1, most + 1)), LABEL, NOT_USED]


_SAYING_NOTHING = ("train", "dev", "test", "validation", "data", "dataset", "all", "table", "rows", "file", "sheet")


def suggested(file: str, taken: Collection[str]) -> str:
    """A name for a task made of a visitor's file name; "" where none can be, or where it would say nothing of the task:
    the name stands before every row that the model reads."""
    plain = re.sub(r"[^a-z0-9]+", "-", file.rpartition(".")[0].lower()).strip("-0123456789")[:40].rstrip("-")
    return "" if plain in {*taken, *_SAYING_NOTHING} else plain


def swapped(roles: Mapping[str, str], column: str, role: str) -> dict[str, str]:
    """`roles` after `column` was given a role; who had it gets the one that `column` had, so that none stands twice."""
    changed, before = dict(roles), roles[column]
    if role != NOT_USED:
        changed |= {other: before for other, had in roles.items() if had == role and other != column}
    return changed | {column: role}


def problems(draft: Draft, taken: Collection[str]) -> dict[str, str]:
    """Field -> a sentence on what is wrong there. The fields are name, roles, labels, numbers and split."""
    found = {}
    try:
        check_name(draft.name)
        if draft.name in taken:
            found["name"] = f"There is a task '{draft.name}' already. Choose another name."
    except DataError as error:
        found["name"] = str(error) if draft.name else f"Give the task a name: {NAME_SAID}."
    if not draft.texts:
        found["roles"] = "No column is a text yet. Choose the column that the model is to read."
    elif not draft.label:
        found["roles"] = "No column is the label yet. Choose the column with the answers."
    elif draft.numbers is not None:
        low, high, step = draft.numbers
        if low is None or high is None or not step or step < 0 or not 1 <= (high - low) / step <= 199:
            found["numbers"] = "The numbers must go from one number to a larger one in 1 to 199 steps. Change the step."
    else:
        found |= _of_labels(draft.words)
    if len(draft.files) == 1 and not (draft.share and 0 < draft.share < 1):
        found["split"] = "The share of dev rows must be between 0 and 1, such as 0.2."
    return found


def _of_labels(words: Mapping[str, str]) -> dict[str, str]:
    used = [word for word in words.values() if word]
    if len(words) > MOST_LABELS:
        return {"labels": f"This column has {len(words):,} different labels, more than {MOST_LABELS}. Choose another "
                          "column as the label."}
    if len(used) < 2:
        return {"labels": "At least two labels need a word."}
    if twice := next((word for word in used if used.count(word) > 1), None):
        return {"labels": f"Two labels have the word {quoted(twice, 40)}. Give each a word of its own."}
    return {}


def given(draft: Draft) -> dict[str, Any]:
    """The lines of its definition file."""
    lines: dict[str, Any] = {"name": draft.name, "texts": dict(draft.texts), "label": draft.label}
    if draft.numbers is not None:
        lines["numbers"] = dict(zip(("from", "to", "step"), draft.numbers, strict=True))
    else:
        lines["labels"] = {label: word for label, word in draft.words.items() if word}
        lines["leave_out"] = [label for label, word in draft.words.items() if not word]
    allowed = OF_CLASSES if draft.numbers is None else OF_NUMBERS
    lines["metrics"] = [metric for metric in draft.metrics if metric in allowed]
    if "f1" in lines["metrics"] and draft.positive in lines.get("labels", {}):
        lines["positive"] = draft.positive
    lines |= {name: text for name, text in draft.details.items() if text}
    if "dev" in draft.files:
        lines["data"] = dict(draft.files)
    else:
        lines["data"] = {"file": draft.files["train"], "share": draft.share, "seed": draft.seed or 0}
    return {**draft.rest, **lines}


def made(draft: Draft, folder: str) -> Task:
    """The task, with its files in `folder`. Raises DataError with every problem that is left."""
    named = {**given(draft), "name": draft.name or "task"}
    try:
        return parse(named, folder, "The task")
    except ConfigError as error:
        raise DataError(" ".join(issue.message for issue in error.issues)) from None
