"""Data files that a visitor uploads: ``HOME/uploads/HASH/TASK/{train,dev}.ENDING``, a data folder like any other.

HASH follows from the contents, so that the same files are kept once. Nothing of a visitor's file name becomes part of
a path. A parquet or xlsx file of a few bytes may unpack to more than the machine holds, so what it unpacks to is
bounded too. No page here.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from compt_core.errors import DataError, quoted
from compt_core.home import home_folder
from compt_core.scratch import scratch
from compt_core.tasks.files import read_folder
from compt_core.tasks.readers import FORMATS
from compt_core.tasks.spec import Task, TaskData
from compt_core.tasks.table import TASKS

T = TypeVar("T")

ENDINGS = ("tsv", "csv", "jsonl")  # of rows for a bundled task
OF_TABLES = FORMATS  # of a task of one's own
SPLITS = ("train", "dev")
MOST_BYTES = 8_000_000  # of a file
MOST_IN_ALL = 400_000_000  # of all that is kept
MOST_UNPACKED = 100_000_000  # bytes that a parquet or xlsx file may unpack to
MOST_CELLS = 2_000_000  # of a parquet file, which may repeat a few
_BLOCK = 4096  # bytes that even a small file takes
_HASH = re.compile(r"[0-9a-f]{32}")
_NUMERIC_EXAMPLES = ("0.0", "2.5", "5.0")


@dataclass(frozen=True)
class File:
    """An uploaded file: its ending, one of ENDINGS, and what is in it."""

    ending: str
    data: bytes


def upload_tasks() -> list[str]:
    """The tasks whose rows can be uploaded: all whose rows are not generated."""
    return [name for name, task in TASKS.items() if not task.bundled]


def checked(name: str, data: bytes, endings: Sequence[str] = ENDINGS) -> File:
    """A file by the name and contents that a browser sent. Raises DataError."""
    ending = name.rpartition(".")[2].lower()
    if "." not in name or ending not in endings:
        raise DataError(f"The file {quoted(name)} must end in .{', .'.join(endings)}. Save the table as one of these.")
    if len(data) > MOST_BYTES:
        raise DataError(f"The file {quoted(name)} has {len(data) / 1e6:.1f} MB, more than {MOST_BYTES // 10**6}. "
                        "Upload fewer rows, or give the folder with the files as the data folder.")
    if ending in ("parquet", "xlsx"):
        _check_packed(name, ending, data)
    return File(ending, data)


def _check_packed(name: str, ending: str, data: bytes) -> None:
    """Raises DataError for a packed file that unpacks to too much, by what it says of itself."""
    cells = 0
    try:
        if ending == "xlsx":
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                unpacked = sum(part.file_size for part in packed.infolist())
        else:
            from pyarrow import parquet

            about = parquet.read_metadata(io.BytesIO(data))
            unpacked = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
            cells = about.num_rows * about.num_columns
    except Exception:  # a broken file makes these libraries raise anything
        raise DataError(f"The file {quoted(name)} cannot be read as {ending}. Save the table again, or as "
                        "csv.") from None
    if unpacked > MOST_UNPACKED or cells > MOST_CELLS:
        raise DataError(f"The file {quoted(name)} unpacks to {unpacked / 1e6:,.0f} MB"
                        f"{f' in {cells:,} cells' if cells else ''}, more than {MOST_UNPACKED // 10**6} MB"
                        f"{f' or {MOST_CELLS:,} cells' if cells else ''}. Upload fewer rows.")


def keep(task: Task, files: Mapping[str, File], data_dir: str | None = None) -> tuple[Path, TaskData]:
    """Keeps the files of a task by split and reads them; the data folder and its rows.

    The folder also holds what was uploaded for other tasks, where `data_dir` is a folder of earlier uploads.
    Raises DataError with every problem of the files, or where there is no room; then nothing is kept.
    """
    earlier = _earlier(uploads_folder(), task, data_dir)
    wanted = earlier | {(task.name, split): file for split, file in files.items()}
    return put({f"{name}/{split}.{file.ending}": file.data for (name, split), file in wanted.items()},
               lambda folder: _read(task, folder))


def uploads_folder() -> Path:
    """Where uploads are kept, a folder each."""
    return home_folder() / "uploads"


def put(files: Mapping[str, bytes], check: Callable[[Path], T]) -> tuple[Path, T]:
    """Keeps files by their paths, once, as a folder named by their hash; the folder, and what `check` made of them.

    Raises DataError where there is no room, and what `check` raises; then nothing is kept.
    """
    folder = uploads_folder()
    target = folder / _hash(files)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not target.is_dir():
            _check_room(folder, files)
        with scratch(folder, "upload") as temporary:
            made = temporary / "data"
            for path, data in files.items():
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_bytes(data)
            checked = check(made)
            if not target.is_dir():
                _rename(made, target)
    except OSError as error:
        raise DataError(f"The files cannot be kept in '{folder}': {error.strerror or error}. Free some disk "
                        "space or repair the folder, then upload them again.") from None
    return target, checked


def template(task: Task) -> str:
    """A CSV file with the header that the task's files must have and a row for some of its labels."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*task.columns, task.label_column))
    for number, label in enumerate(example_labels(task), start=1):
        writer.writerow((*(f"text of {column} in example {number}" for column in task.columns), label))
    return text.getvalue()


def example_labels(task: Task) -> tuple[str, ...]:
    """Labels as they may stand in the task's files: all words, or some numbers of a numeric task."""
    return _NUMERIC_EXAMPLES if task.numeric else task.labels


def _earlier(folder: Path, task: Task, data_dir: str | None) -> dict[tuple[str, str], File]:
    """What `data_dir` holds for other tasks, where it is a folder of uploads."""
    given = Path(os.path.abspath(data_dir or "."))
    if given.parent != folder or not _HASH.fullmatch(given.name):
        return {}
    paths = {(name, split, ending): given / name / f"{split}.{ending}"
             for name in upload_tasks() if name != task.name for split in SPLITS for ending in ENDINGS}
    return {(name, split): File(ending, path.read_bytes()) for (name, split, ending), path in paths.items()
            if path.is_file()}


def _hash(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for path, data in sorted(files.items()):
        digest.update(f"{path} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:32]


def _read(task: Task, folder: Path) -> TaskData:
    try:
        rows = read_folder(task, str(folder))
    except DataError as error:  # of the visitor's files, not of a path that is gone by then
        raise DataError(str(error).replace(f"{folder}{os.sep}", "")) from None
    return replace(rows, notes=tuple(note.replace(f"{folder}{os.sep}", "") for note in rows.notes))


def _rename(made: Path, target: Path) -> None:
    try:
        made.rename(target)
    except OSError:
        if not target.is_dir():  # the same files, by another visitor
            raise


def _check_room(folder: Path, files: Mapping[str, bytes]) -> None:
    kept = sum(max(_BLOCK, path.stat().st_size) for one in folder.iterdir() if not one.name.startswith(".")
               for path in one.rglob("*") if path.is_file())  # not what another visitor is just sending
    if kept + sum(max(_BLOCK, len(data)) for data in files.values()) > MOST_IN_ALL:
        raise DataError(f"The uploads of all visitors fill their {MOST_IN_ALL // 10**6} MB. Whoever runs this "
                        f"dashboard can remove folders below '{folder}' that no experiment uses.")
