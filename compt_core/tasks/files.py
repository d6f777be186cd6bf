"""Rows of a task from any source: generated, a folder of files, or the datasets hub. Loads no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from compt_core.errors import DataError, plural, quoted
from compt_core.tasks import selections
from compt_core.tasks.demo import demo_rows
from compt_core.tasks.hub import SPLITS, read_hub, read_saved, saved_splits
from compt_core.tasks.own import folder_of
from compt_core.tasks.parts import parts_of
from compt_core.tasks.readers import FORMATS, Table, read_file, read_parts
from compt_core.tasks.rows import labelled, read_rows
from compt_core.tasks.spec import OWN, Row, Task, TaskData
from compt_core.tasks.split import split_off

MOST_NAMED = 8  # unused columns that are named
Stamp = tuple[tuple[str, int, int], ...]  # (file, time of change in ns, bytes)


def load_task(task: Task, data_dir: str | None) -> TaskData:
    """Train and dev rows of `task`; rows with label −1 are left out and counted.

    Training rows whose texts are also in dev are left out as well: no prompt may have seen what it is scored on.
    Demo tasks are generated; a person's own task says itself where its files are; others come from `data_dir`/TASK, or
    from the datasets hub without a `data_dir`. The data is read once per process as long as no file of the folder
    changes. Raises DataError that names the file and line of every problem.
    """
    if data_dir in selections.NAMES and not selections.place(data_dir).is_dir():
        raise DataError(selections.missing(data_dir))
    return _load(task, None if from_hub(task) else data_dir, stamp(task, data_dir))


def stamp(task: Task, data_dir: str | None) -> Stamp:
    """What changes when a file with rows of the task does; () where there is none. Raises DataError."""
    if from_hub(task):
        return ()
    folder = folder_of(task) if task.files else selections.place(data_dir) / task.name if data_dir else None
    try:
        named = task.files.names if task.files else ()
        there = [folder / name for name in named] if named and folder else folder.rglob("*") if folder else ()
        files = sorted(f for f in there if f.is_file())
        return tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files)
    except OSError as error:
        raise DataError(f"The data folder of task '{task.name}' cannot be read: {error.strerror}.") from None


def from_hub(task: Task) -> bool:
    """Whether a person's own definition says that the rows are on the datasets hub, whatever the data folder."""
    return task.suite == OWN and task.hub is not None


def all_rows(task: Task, data_dir: str | None) -> tuple[Row, ...]:
    """The labelled rows of both splits in `data_dir`/TASK, or of every split on the datasets hub that has labels.

    Raises as :func:`load_task`.
    """
    problems: list[str] = []
    tables = _read_folder(task, Path(data_dir), problems) if data_dir else read_hub(task, every=True)
    found = tuple(row for table in tables.values() for row in labelled(task, table, problems))
    if problems:
        raise DataError(" ".join(problems))
    return found


def read_folder(task: Task, data_dir: str) -> TaskData:
    """As :func:`load_task`, for a folder that will not be read again, so nothing is remembered."""
    return _load.__wrapped__(task, data_dir, ())


@lru_cache(maxsize=64)
def _load(task: Task, data_dir: str | None, changed: Stamp) -> TaskData:
    if task.bundled:
        rows = {split: demo_rows(task.name, split) for split in SPLITS}
        return TaskData(task, rows["train"], rows["dev"], digest_of(rows.values()))
    problems: list[str] = []
    if task.files:
        tables = _read_own(task, folder_of(task), problems)
    else:
        tables = _read_folder(task, selections.place(data_dir), problems) if data_dir else read_hub(task)
    read = read_rows(task, tables, problems)
    kept = {name: rows.kept for name, rows in read.items()}
    skipped = {name: rows.skipped for name, rows in read.items()}
    notes = tuple(note for rows in read.values() for note in rows.notes)
    if task.files and not task.files.dev:
        kept["train"], kept["dev"] = split_off(kept["train"], task.files.share, task.files.seed, task.numeric)
        notes += (_split_note(task, len(kept["train"]), len(kept["dev"])),)
        if not kept["dev"]:
            raise DataError(f"The data of task '{task.name}' in {tables['train'].where} has too few different rows to "
                            "split dev rows off. Give at least two rows with different texts.")
    seen = {row.texts for row in kept["dev"]}
    train = tuple(row for row in kept["train"] if row.texts not in seen)
    if not train:
        raise DataError(f"The train data of task '{task.name}' in {tables['train'].where} has only rows that are in "
                        "its dev data as well. Give other rows to train on.")
    return TaskData(task, train, kept["dev"], digest_of((train, kept["dev"])), skipped, len(kept["train"]) - len(train),
                    notes=(*_unused(task, tables.values()), *notes))


def _split_note(task: Task, train: int, dev: int) -> str:
    assert task.files is not None
    return (f"The data of task '{task.name}' has no dev split. {plural(dev, 'row')} of {train + dev:,} "
            f"{'is' if dev == 1 else 'are'} set aside as dev rows, drawn by label with seed {task.files.seed}; rows "
            "with the same texts stay together.")


def _read_own(task: Task, folder: Path, problems: list[str]) -> dict[str, Table]:
    """The splits of a person's own task; one file that is still to be split is its "train"."""
    assert task.files is not None
    if not folder.is_dir():
        raise DataError(f"The files of task '{task.name}' are gone: there is no folder '{folder}'. Put it back, or "
                        "define the task again with other files.")
    if not task.files.train:
        splits = saved_splits(folder)
        train = task.files.split or ("train" if "train" in splits else next(iter(splits)))
        names = {"train": train} | ({"dev": task.files.dev} if task.files.dev else {})
        if lacks := [name for name in names.values() if name not in splits]:
            raise DataError(f"The data of task '{task.name}' in '{folder}' has no split {quoted(lacks[0])}. It has: "
                            f"{', '.join(map(quoted, splits))}.")
        return {split: splits[name] for split, name in names.items()}
    tables = {}
    for name, file in {"train": task.files.train, "dev": task.files.dev}.items():
        if not file:
            continue
        try:
            path = folder / file
            if path.suffix.lower()[1:] not in FORMATS:
                raise DataError(f"The file '{path}' of task '{task.name}' must end in .{', .'.join(FORMATS)}.")
            if lacks := [part for part in parts_of(file) if not (folder / part).is_file()]:
                raise DataError(f"The file '{folder / lacks[0]}' of task '{task.name}' is not there.")
            tables[name] = read_parts(folder, file, (*task.columns, task.label_column))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError(" ".join(problems))
    return tables


def _unused(task: Task, tables: Iterable[Table]) -> tuple[str, ...]:
    """A sentence that names the columns that nothing is read from, if there are any."""
    given = dict.fromkeys(str(name) for table in tables for name in table.columns)
    names = [name for name in given if name not in (*task.columns, task.label_column)]
    if not names:
        return ()
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    said = "a column that is" if len(names) == 1 else f"{len(names)} columns that are"
    return (f"The data of task '{task.name}' has {said} not used: "
            f"{', '.join(quoted(name, 40) for name in names[:MOST_NAMED])}{more}.",)


def _read_folder(task: Task, data_dir: Path, problems: list[str]) -> dict[str, Table]:
    """The splits that can be read; the problems of the others go to `problems`."""
    folder = data_dir / task.name
    if not folder.is_dir():
        raise DataError(f"The data folder '{data_dir}' has no folder for the task '{task.name}'. "
                        f"Put {task.name}/train and {task.name}/dev files (.{', .'.join(FORMATS)}) there.")
    if (folder / "dataset_dict.json").is_file():
        return read_saved(task, folder)
    tables = {}
    for split, names in SPLITS.items():
        try:
            tables[split] = read_file(_find(folder, names), (*task.columns, task.label_column))
        except DataError as error:
            problems.append(str(error))
    problems[:] = dict.fromkeys(problems)
    return tables


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    paths = [folder / f"{name}.{ending}" for name in names for ending in FORMATS]
    found = [path for path in paths if path.is_file()]
    if not found:
        for place in (folder, *(folder / name for name in names)):
            if (place / "state.json").is_file():
                raise DataError(f"The folder '{place}' holds a single data set written by save_to_disk. "
                                f"Save train and dev together, as one DatasetDict, into '{folder}'.")
        raise DataError(f"The folder '{folder}' has no {' or '.join(names)} file. "
                        f"Expected {names[0]}.{{{','.join(FORMATS)}}}.")
    if len(found) > 1:
        raise DataError(f"The folder '{folder}' has several {names[0]} files: {', '.join(f.name for f in found)}. "
                        "Keep one.")
    return found[0]


def digest_of(splits: Iterable[tuple[Row, ...]]) -> str:
    """sha256 over the rows of train and dev, in this order."""
    digest = hashlib.sha256()
    for rows in splits:
        for row in rows:
            digest.update(repr((row.texts, row.value)).encode())
        digest.update(b"|")
    return digest.hexdigest()
