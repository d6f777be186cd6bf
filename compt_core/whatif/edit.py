"""Edits of a finished run, and the one line of text that stands for an edit in links, files and commands. No torch.

An edit is a set, not a sequence: :mod:`compt_core.whatif.compose` says in which order its parts act. As text it is a
list of items separated by semicolons: `WHAT=VALUE` for all tasks, or `WHAT:TASK=VALUE` for one task, which takes
precedence:

    normalizer=sparsemax         the weights computed again from the learned logits
    row=uniform  row:T=s2        attention uniform, or one source alone
    row:T=trained                as trained, if a row for all tasks is given
    row:T=U                      the attention of task U
    row:T=.5,.5,0,0              weights written out
    mute=s1,s3   mute:T=s0       weight 0 for these sources
    renormalise=on               the other weights are scaled so that their sum stays the same
    private:T=U  swap:T=U        T gets the private prompt of U; each gets the other's
    alpha=.3     beta:T=0        gates of the private and the shared part, even if the run's form has none; at 0 the
                                 part is left out
    blend=RUN,.5                 half way to the composed prompts of another run
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from compt_core.errors import ConfigError, Issue, nearest, plural, quoted
from compt_core.settings.plain import number
from compt_core.whatif.trained import Trained

ALL = "*"  # every task
UNIFORM, TRAINED = "uniform", "trained"
LARGEST_GATE = 10.0  # as in the settings
LARGEST_TEXT = 30_000  # characters: enough for everything that can be changed in a run of many tasks and sources
_MOST_PROBLEMS = 5  # each of which gets a sentence
NORMALIZERS = ("softmax", "sparsemax", "entmax15", "sigmoid")
Row = str | tuple[float, ...]  # UNIFORM, TRAINED, a source "s2", a task's name, or weights [S]
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_SOURCE = re.compile(r"s([0-9]{1,4})")


@dataclass(frozen=True)
class Edit:
    """What is changed; the empty edit changes nothing. Keys are task names or ALL.

    rows     task -> row of attention     mute   task -> muted sources
    private  task -> task whose private prompt it gets
    alpha, beta  task -> gate             blend  (run id, that run's share in (0, 1])
    """

    normalizer: str | None = None
    rows: Mapping[str, Row] = field(default_factory=lambda: _NOTHING)
    mute: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: _NOTHING)
    renormalise: bool = False
    private: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    alpha: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    beta: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    blend: tuple[str, float] | None = None

    def __bool__(self) -> bool:
        """Whether it changes anything; renormalising alone does not."""
        return any(getattr(self, one.name) for one in fields(self) if one.name != "renormalise")

    def of(self, what: str, task: str) -> Any:
        """The value of the part `what` for a task: the task's own, else the one for all tasks, else None."""
        part: Mapping[str, Any] = getattr(self, what)
        return part.get(task, part.get(ALL))


def write(edit: Edit) -> str:
    """The text of an edit, ``""`` for the empty one; :func:`read` turns it back into the edit."""
    items = [f"normalizer={edit.normalizer}"] if edit.normalizer else []
    written: dict[str, Callable[[Any], str]] = {
        "row": lambda row: row if isinstance(row, str) else ",".join(map(_number, row)),
        "mute": lambda sources: ",".join(f"s{s}" for s in sources),
        "private": str, "alpha": _number, "beta": _number}
    for name, say in written.items():
        part: Mapping[str, Any] = getattr(edit, "rows" if name == "row" else name)
        items += [f"{name}{'' if task == ALL else f':{task}'}={say(value)}" for task, value in sorted(part.items())]
    items += ["renormalise=on"] if edit.renormalise and edit.mute else []
    items += [f"blend={edit.blend[0]},{_number(edit.blend[1])}"] if edit.blend else []
    return ";".join(items)


def _number(value: float) -> str:
    return short if float(short := f"{value:g}") == value else repr(float(value))


def _float(text: str) -> float:
    """A plain decimal number; NaN for any other text, even if Python could read it as a number."""
    found = number(text)
    return math.nan if found is None else float(found)


def read(text: str, trained: Trained) -> Edit:
    """The edit of a run that `text` describes. Raises ConfigError with a sentence for every wrong item."""
    if len(text) > LARGEST_TEXT:
        raise ConfigError([Issue("edit", f"An edit must be at most {LARGEST_TEXT:,} characters of text. "
                                         f"Got {len(text):,} instead; make it again on the What-if page.")])
    edit, problems, seen = Edit(), list[Issue](), set[tuple[str, str]]()
    items = [item for part in text.split(";") if (item := part.strip())]
    for done, item in enumerate(items):
        if len(problems) == _MOST_PROBLEMS:  # suggesting what was meant takes long if there are thousands
            problems.append(Issue("edit", f"The {len(items) - done:,} items after these were not checked."))
            break
        try:
            edit = _with(edit, item, trained, seen)
        except ValueError as error:
            problems.append(Issue("edit", f"The edit's item {quoted(item)} {error}"))
    if problems:
        raise ConfigError(problems)
    return edit if edit.mute else replace(edit, renormalise=False)


def _with(edit: Edit, item: str, trained: Trained, seen: set[tuple[str, str]]) -> Edit:
    name, equals, value = (part.strip() for part in item.partition("="))
    what, _, task = (part.strip() for part in name.partition(":"))
    if (what, task) in seen:
        raise ValueError("must appear only once. Got it twice; leave one of them out.")
    seen.add((what, task))
    if not equals or what not in _READERS:
        raise ValueError("must be one of " + ", ".join(f"{one}=…" for one in _READERS) + f".{nearest(what, _READERS)}")
    if task and what in ("normalizer", "renormalise", "blend"):
        raise ValueError(f"applies to all tasks and takes no task: write '{what}={value[:40]}'.")
    if task and task not in trained.tasks:
        raise ValueError(f"must name one of this run's tasks, {_listed(trained.tasks)}.{nearest(task, trained.tasks)}")
    return _READERS[what](edit, task or ALL, value, trained)


def _normalizer(edit: Edit, task: str, value: str, trained: Trained) -> Edit:
    if trained.logits is None:
        raise ValueError("needs a run with learned attention; this one has none.")
    if value not in NORMALIZERS:
        raise ValueError(f"must be one of {', '.join(NORMALIZERS)}.{nearest(value, NORMALIZERS)}")
    return replace(edit, normalizer=None if value == trained.normalizer else value)


def _row(edit: Edit, task: str, value: str, trained: Trained) -> Edit:
    count = _sources(trained)
    row: Row = value
    if _SOURCE.fullmatch(value):
        row = f"s{_source(value, count)}"
    elif value not in (UNIFORM, TRAINED, *trained.tasks):
        row = tuple(_float(part.strip()) for part in value.split(","))
        if len(row) == 1 != count:
            raise ValueError(f"must be 'uniform', 'trained', a source s0 to s{count - 1}, a task of this run, or "
                             f"{plural(count, 'number')} separated by commas."
                             f"{nearest(value, [UNIFORM, TRAINED, *trained.tasks])}")
        if len(row) != count or not all(0 <= one <= trained.largest_weight for one in row):
            raise ValueError(f"must be {plural(count, 'weight')} in [0, {trained.largest_weight:g}], one for each "
                             "source.")
    return replace(edit, rows={**edit.rows, task: row})


def _mute(edit: Edit, task: str, value: str, trained: Trained) -> Edit:
    count = _sources(trained)
    sources = tuple(sorted({_source(one.strip(), count) for one in value.split(",") if one.strip()}))
    return replace(edit, mute={**edit.mute, task: sources})


def _renormalise(edit: Edit, task: str, value: str, trained: Trained) -> Edit:
    if value not in ("on", "off"):
        raise ValueError("must be 'on' or 'off'.")
    return replace(edit, renormalise=value == "on")


def _private(edit: Edit, task: str, value: str, trained: Trained) -> Edit:
    if trained.private is None:
        raise ValueError("needs a run with private prompts (PT, SPP or SCP).")
    if value not in trained.tasks:
        raise ValueError(f"must name one of this run's tasks, {_listed(trained.tasks)}.{nearest(value, trained.tasks)}")
    return replace(edit, private={**edit.private, task: value})


def _swap(edit: Edit, task: str, value: str, trained: Trained) -> Edit:
    if task == ALL:
        raise ValueError("must name both tasks: write 'swap:TASK=TASK'.")
    if {task, value} & edit.private.keys():
        raise ValueError("swaps a task whose private prompt another item already changes; leave one of them out.")
    return _private(_private(edit, task, value, trained), value, task, trained)


def _gate(name: str) -> Callable[[Edit, str, str, Trained], Edit]:
    def read_gate(edit: Edit, task: str, value: str, trained: Trained) -> Edit:
        if not trained.composed_of_two:
            raise ValueError("needs a run with shared and private prompts (SPP or SCP).")
        gate = _float(value)
        if not 0 <= gate <= LARGEST_GATE:  # false of NaN too
            raise ValueError(f"must be a number in [0, {LARGEST_GATE:g}].")
        if name == "alpha":
            return replace(edit, alpha={**edit.alpha, task: gate})
        return replace(edit, beta={**edit.beta, task: gate})
    return read_gate


def _blend(edit: Edit, task: str, value: str, trained: Trained) -> Edit:
    run, _, share = (part.strip() for part in value.partition(","))
    part = _float(share)
    if not re.fullmatch(r"[0-9A-Za-z_.-]{1,64}", run) or not 0 <= part <= 1:
        raise ValueError("must be the id of a run, a comma and that run's share in [0, 1].")
    return replace(edit, blend=(run, part) if part else None)


_READERS: dict[str, Callable[[Edit, str, str, Trained], Edit]] = {
    "normalizer": _normalizer, "row": _row, "mute": _mute, "renormalise": _renormalise, "private": _private,
    "swap": _swap, "alpha": _gate("alpha"), "beta": _gate("beta"), "blend": _blend}


def _sources(trained: Trained) -> int:
    if trained.weights is None:
        raise ValueError("needs a run with attention over sources (SPP or SCP).")
    return int(trained.weights.shape[1])


def _source(text: str, count: int) -> int:
    found = _SOURCE.fullmatch(text)
    if not found or int(found[1]) >= count:
        raise ValueError(f"must name sources of this run, s0 to s{count - 1}. Got {quoted(text)} instead.")
    return int(found[1])


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:12]) + (f" … ({len(names)} in all)" if len(names) > 12 else "")
