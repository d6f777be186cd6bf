"""Rows of a task from files, folders written by ``save_to_disk``, or the datasets hub. Loads no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from compt_core.errors import DataError
from compt_core.tasks.demo import demo_rows
from compt_core.tasks.spec import Row, Task, TaskData

FORMATS = ("tsv", "csv", "jsonl", "parquet")
SPLITS = {"train": ("train",), "dev": ("dev", "validation")}
Table = tuple[Mapping[str, Sequence[Any]], str]  # columns by name, and where they were read (for messages)


def load_task(task: Task, data_dir: str | None) -> TaskData:
    """Train and dev rows of `task`; rows with label −1 are left out and counted.

    Demo tasks are generated; others come from `data_dir`/TASK, or else from the datasets hub. Read
    once per process while no file of the folder changes. Raises DataError naming the file and line
    of the first problem.
    """
    folder = Path(data_dir) / task.name if data_dir else None
    files = sorted(folder.iterdir()) if folder and folder.is_dir() else []
    return _load(task, data_dir, tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files))


@lru_cache(maxsize=32)
def _load(task: Task, data_dir: str | None, stamp: tuple[tuple[str, int, int], ...]) -> TaskData:
    if task.suite == "demo":
        rows = {split: demo_rows(task.name, split) for split in SPLITS}
        return TaskData(task, rows["train"], rows["dev"], _digest(rows.values()))
    tables = _from_folder(task, Path(data_dir)) if data_dir else _from_hub(task)
    kept, skipped = {}, {}
    for split, table in tables.items():
        parsed = list(_rows(task, *table))
        kept[split] = tuple(row for row in parsed if row is not None)
        skipped[split] = len(parsed) - len(kept[split])
        if not kept[split]:
            raise DataError(f"The {split} data of task '{task.name}' in {table[1]} has no labelled row. "
                            "Give a file with at least one row below its header.")
    return TaskData(task, kept["train"], kept["dev"], _digest(kept.values()), skipped)


def _from_folder(task: Task, data_dir: Path) -> dict[str, Table]:
    folder = data_dir / task.name
    if not folder.is_dir():
        raise DataError(f"The data folder '{data_dir}' has no folder '{task.name}' for the task of that name. "
                        f"Put {task.name}/train and {task.name}/dev files (.{', .'.join(FORMATS)}) there.")
    if (folder / "dataset_dict.json").is_file():
        return _from_saved(task, folder)
    return {split: _read_file(_find(folder, names)) for split, names in SPLITS.items()}


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    found = [folder / f"{name}.{ending}" for name in names for ending in FORMATS if (folder / f"{name}.{ending}").is_file()]
    if not found:
        raise DataError(f"The folder '{folder}' has no {' or '.join(names)} file. "
                        f"Expected {names[0]}.{{{','.join(FORMATS)}}}.")
    if len(found) > 1:
        raise DataError(f"The folder '{folder}' has several {names[0]} files: {', '.join(f.name for f in found)}. Keep one.")
    return found[0]


def _read_file(path: Path) -> Table:
    import pandas as pd

    text: dict[str, Any] = {"dtype": str, "keep_default_na": False, "encoding": "utf-8"}
    try:
        if path.suffix == ".tsv":  # quotes are text in GLUE's files
            frame = pd.read_csv(path, sep="\t", quoting=3, index_col=False, **text)
        elif path.suffix == ".csv":
            frame = pd.read_csv(path, index_col=False, **text)
        elif path.suffix == ".jsonl":
            frame = pd.read_json(path, lines=True, dtype=False, convert_dates=False, encoding="utf-8")
        else:
            frame = pd.read_parquet(path)
    except pd.errors.EmptyDataError:
        raise DataError(f"The file '{path}' is empty. Give a header row and at least one row below it.") from None
    except (ValueError, OSError, UnicodeError, pd.errors.ParserError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"The file '{path}' cannot be read as {path.suffix[1:]}: {reason}.") from None
    if frame.empty:
        raise DataError(f"The file '{path}' has no rows. Give at least one row below the header.")
    return {str(name): frame[name].tolist() for name in frame.columns}, f"'{path}'"


def _from_saved(task: Task, folder: Path) -> dict[str, Table]:
    import datasets

    try:
        return _splits(task, datasets.load_from_disk(str(folder)), f"'{folder}'")
    except (OSError, ValueError) as error:
        raise DataError(f"The data set in '{folder}' cannot be read: {' '.join(str(error).split())}.") from None


def _from_hub(task: Task) -> dict[str, Table]:
    import datasets

    if task.hub is None:
        raise DataError(f"The task '{task.name}' is on no hub. Give its files with --data-dir.")
    path, config = task.hub[:2]
    try:
        loaded = datasets.load_dataset(path, config)
    except Exception as error:  # the hub client raises a dozen unrelated types; all mean: no data came
        raise DataError(
            f"The data set '{path}'{f' ({config})' if config else ''} of task '{task.name}' could not be loaded from the "
            f"hub ({type(error).__name__}). Check the network, or give a folder of files with --data-dir."
        ) from error
    return _splits(task, loaded, f"data set '{path}'")


def _splits(task: Task, loaded: Any, where: str) -> dict[str, Table]:
    hub_split = dict(zip(SPLITS, task.hub[2:] if task.hub else (), strict=False))
    tables: dict[str, Table] = {}
    for split, names in SPLITS.items():
        name = next((n for n in (hub_split.get(split), *names) if n in loaded), None)
        if name is None:
            raise DataError(f"The data of task '{task.name}' in {where} has no split {' or '.join(names)}. "
                            f"It has: {', '.join(loaded)}.")
        part = loaded[name]
        tables[split] = ({column: part[column] for column in part.column_names}, f"{where} ({name})")
    return tables


def _rows(task: Task, table: Mapping[str, Sequence[Any]], where: str) -> Iterator[Row | None]:
    missing = [name for name in (*task.columns, task.label_column) if name not in table]
    if missing:
        raise DataError(f"The data of task '{task.name}' in {where} has no column "
                        f"{' and no column '.join(repr(name) for name in missing)}. It has: {', '.join(table)}.")
    columns = [table[name] for name in task.columns]
    for number, (label, *texts) in enumerate(zip(table[task.label_column], *columns, strict=True), start=1):
        at = f"{where}, row {number}"
        empty = next((name for name, text in zip(task.columns, texts, strict=True) if not isinstance(text, str)), None)
        if empty:
            raise DataError(f"The column '{empty}' of task '{task.name}' in {at} must be text. Got {texts!r:.80} instead.")
        parsed = task.parse_label(label, at)
        yield None if parsed is None else Row(tuple(texts), *parsed)


def _digest(splits: Any) -> str:
    digest = hashlib.sha256()
    for rows in splits:
        for row in rows:
            digest.update(repr((row.texts, row.value)).encode())
        digest.update(b"|")
    return digest.hexdigest()
