"""Fixed selections of rows from public data sets, without their texts: `english`, on which the bundled runs were made.

The texts have licences of their own, so a selection holds a fingerprint for each row. :func:`fetch` takes the rows from
the data sets themselves, from the hub or from a folder, and writes them to ``COMPT_HOME/data/NAME``. A data folder
called `english` means that place. Loads no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path

from filelock import FileLock

import compt_core
from compt_core.errors import DataError, unusable
from compt_core.home import home_folder
from compt_core.scratch import scratch
from compt_core.tasks.spec import Row, Task

_ASSETS = Path(compt_core.__file__).resolve().parents[1] / "assets"
NAMES = ("english",)
_DIGITS = 12  # of a fingerprint: two of a million different rows share one with a probability of about .002
Splits = dict[str, list[str]]  # split -> fingerprints, in the order of the rows


def place(data_dir: str) -> Path:
    """The folder that a data folder's name means: that of a selection, or the path itself."""
    return folder(data_dir) if data_dir in NAMES and not os.path.isdir(data_dir) else Path(data_dir)


def folder(name: str) -> Path:
    """Where the rows of a selection are kept, whether they are there or not."""
    return home_folder() / "data" / name


def missing(name: str) -> str:
    """What to do where the rows of a selection are not on this machine, in a sentence."""
    return (f"The rows of '{name}' are not on this machine yet. Fetch them from the datasets hub with "
            f"'python -m compt_core data fetch {name}', or give a folder with TASK/train and TASK/dev files.")


@cache
def fingerprints(name: str) -> Mapping[str, Splits]:
    """Task -> its splits in the selection."""
    packed = json.loads((_ASSETS / f"{name}-rows.json").read_text(encoding="utf-8"))
    return {task: {split: [text[i:i + _DIGITS] for i in range(0, len(text), _DIGITS)] for split, text in splits.items()}
            for task, splits in packed.items()}


def collapsed(row: Row) -> Row:
    """The row with single spaces, since copies of a data set differ in white space."""
    return Row(tuple(" ".join(text.split()) for text in row.texts), row.label, row.value)


def fingerprint(row: Row) -> str:
    """The first digits of the sha256 of a row's texts, whatever their white space, and its label."""
    return hashlib.sha256(repr((collapsed(row).texts, row.label)).encode()).hexdigest()[:_DIGITS]


def chosen(rows: Iterable[Row], wanted: Mapping[str, Sequence[str]], task: str) -> dict[str, list[Row]]:
    """Split -> the rows with the `wanted` fingerprints, in that order. Raises DataError where some are not there."""
    asked = frozenset(chain(*wanted.values()))
    found = {mark: collapsed(row) for row in rows if (mark := fingerprint(row)) in asked}
    if missing := len(asked - found.keys()):
        raise DataError(f"The data of task '{task}' lacks {missing:,} of the {len(asked):,} rows that the selection "
                        "needs. Give the data set as its authors published it.")
    return {split: [found[mark] for mark in marks] for split, marks in wanted.items()}


def fetch(name: str, tasks: Mapping[str, Task], read: Callable[[Task], Iterable[Row]],
          progress: Callable[[str], None] = lambda _: None) -> Path:
    """The folder of a selection, made where it is not there yet; it appears whole or not at all.

    read(task) gives all rows of a task, for example from the hub. Two processes may call this at once: one of them
    fetches, the other waits. Raises DataError where rows or files are missing, StoreError where nothing can be written.
    """
    kept = folder(name)
    if not kept.is_dir():
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(kept.parent / f".{name}.lock"):
                if not kept.is_dir():
                    _make(name, kept, tasks, read, progress)
        except OSError as error:
            raise unusable(f"The rows of '{name}' cannot be written to '{kept}'", error) from None
    if lacking := _lacking(name):
        raise DataError(f"The folder '{kept}' lacks '{lacking[0].relative_to(kept)}', so the rows of '{name}' are not "
                        "all there. Delete this folder, then fetch them again.")
    return kept


def whole(name: str) -> bool:
    """Whether all files of a selection are on this machine."""
    return not _lacking(name)


def _lacking(name: str) -> list[Path]:
    return [path for task, splits in fingerprints(name).items() for split in splits
            if not (path := folder(name) / task / f"{split}.jsonl").is_file()]


def _make(name: str, kept: Path, tasks: Mapping[str, Task], read: Callable[[Task], Iterable[Row]],
          progress: Callable[[str], None]) -> None:
    """Writes the rows of a selection into a hidden folder, which then takes the name `kept`."""
    with scratch(kept.parent, kept.name) as room:
        for number, (task, wanted) in enumerate(fingerprints(name).items(), 1):
            progress(f"{task} ({number} of {len(fingerprints(name))}) …")
            for split, rows in chosen(read(tasks[task]), wanted, task).items():
                path = room / kept.name / task / f"{split}.jsonl"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("".join(map(_line(tasks[task]), rows)), encoding="utf-8")
        (room / kept.name).rename(kept)


def _line(task: Task) -> Callable[[Row], str]:
    return lambda row: json.dumps({**dict(zip(task.columns, row.texts, strict=True)),
                                   task.label_column: row.label}, ensure_ascii=False) + "\n"
