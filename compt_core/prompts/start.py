"""What a run starts from: lines such as ``source=RUN`` of the setting `init`, and the arrays that they name.

K tasks · S sources · P prompt length · H hidden size. A line is ``PART=FROM[:TAKEN][@TASK+TASK]``: the part of the new
run (source or private), where its first prompts come from, which prompts of it (source, private, or composed, the
prompts as the backbone got them), and of which tasks. FROM is the id of a run, EXPERIMENT/ROW or ROW for the run of
that row with the same shots and seed, or a file of prompts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from compt_core.errors import DataError, plural, quoted

Target = Literal["source", "private"]
FORM = "PART=FROM, as in source=RUN, private=RUN:composed@sst2 or source=prompts.safetensors"
_LINE = re.compile(r"(?P<part>source|private)=(?P<ref>[^=].*?)(:(?P<taken>source|private|composed))?"
                   r"(@(?P<tasks>[\w.-]+(\+[\w.-]+)*))?", re.DOTALL)


@dataclass(frozen=True)
class Origin:
    """One line, read. `taken` is "" where the line does not say, `tasks` is () for all."""

    part: Target
    ref: str
    taken: str = ""
    tasks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.part}={self.ref}{f':{self.taken}' if self.taken else ''}" \
               f"{'@' + '+'.join(self.tasks) if self.tasks else ''}"


def read_line(line: str) -> Origin:
    """Raises ValueError where `line` has another form."""
    found = _LINE.fullmatch(line)
    if not found:
        raise ValueError(f"must have the form {FORM}")
    part: Target = "source" if found["part"] == "source" else "private"
    return Origin(part, found["ref"], found["taken"] or "", tuple((found["tasks"] or "").split("+"))
                  if found["tasks"] else ())


@dataclass(frozen=True)
class Prompts:
    """Prompts that a run can start from: those of a finished run, or of a file.

    where  for messages: "run 'abc'", "the file 'x.npy'"
    kinds  "source", "private" or "composed" -> prompts [n, P, H]
    names  the same -> the name of each prompt: a task's, or a source's number
    """

    where: str
    kinds: Mapping[str, np.ndarray]
    names: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Wanted:
    """The shape that a part of the new run must have: its prompts' names (tasks, or numbers of sources), P and H."""

    names: Sequence[str]
    length: int
    hidden: int


def fitted(origin: Origin, prompts: Prompts, wanted: Wanted) -> np.ndarray:
    """The first prompts [n, P, H] of a part, float32. Raises DataError where they do not fit it."""
    kind = origin.taken or (origin.part if origin.part in prompts.kinds else "composed")
    if kind not in prompts.kinds:
        has = " and ".join(map(repr, prompts.kinds))
        raise DataError(f"The initial prompts of {origin.part} cannot be of the kind {kind!r}: {prompts.where} "
                        f"has only {has}. Choose one of these behind a colon.")
    given, names = prompts.kinds[kind], list(prompts.names[kind])
    chosen = _chosen(origin, names, wanted, f"the prompts ({kind}) of {prompts.where}")
    length, hidden = given.shape[1:]
    if hidden != wanted.hidden:
        raise DataError(f"The initial prompts of {origin.part} must be {wanted.hidden} wide, as the backbone is. Those "
                        f"of {prompts.where} are {hidden} wide; choose prompts that were trained on this backbone.")
    if length != wanted.length:
        raise DataError(f"The initial prompts of {origin.part} must have {plural(wanted.length, 'vector')}. Those of "
                        f"{prompts.where} have {length}; set prompt_length so that the part has as many, or choose "
                        "other prompts.")
    return np.ascontiguousarray(given[chosen], dtype=np.float32)


def _chosen(origin: Origin, names: Sequence[str], wanted: Wanted, what: str) -> list[int]:
    """Which of the given prompts go to which place of the part."""
    if strange := next((task for task in origin.tasks if task not in names), None):
        raise DataError(f"There is no {quoted(strange)} among {what}. They are those of {_listed(names)}.")
    if origin.part == "private" and len(origin.tasks) <= 1:
        if origin.tasks or len(names) == 1:  # one prompt for every task
            return [names.index(origin.tasks[0]) if origin.tasks else 0] * len(wanted.names)
        if missing := next((name for name in wanted.names if name not in names), None):
            raise DataError(f"Task {quoted(missing)} has no prompt among {what}, which are those of {_listed(names)}. "
                            "Name one of them behind an @ for all tasks.")
        return [names.index(name) for name in wanted.names]
    places = [names.index(task) for task in origin.tasks] or list(range(len(names)))
    if len(places) != len(wanted.names):
        noun = "source" if origin.part == "source" else "task"
        raise DataError(f"The run has {plural(len(wanted.names), noun)}, but {what} are {len(places)} "
                        f"({_listed([names[one] for one in places])}). "
                        f"{'Set sources to that number, or name' if noun == 'source' else 'Name'} the ones to take "
                        "behind an @, as in @a+b.")
    return places


def _listed(names: Sequence[str]) -> str:
    return ", ".join(quoted(name, 40) for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
