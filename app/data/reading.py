"""Uploaded tables: kept by their contents until a task is made of them, read within limits. No page here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.ui import uploads
from compt_core.errors import DataError, quoted
from compt_core.tasks.files import read_folder
from compt_core.tasks.readers import Table, read_file
from compt_core.tasks.spec import Task, TaskData

MOST_CHARACTERS = 100_000_000  # of all cells: a parquet file may repeat a long text
INSIDE = "own"  # the folder in the upload, in place of a task's name


@dataclass(frozen=True)
class Upload:
    """Uploaded tables of one task.

    folder  where they are
    files   split -> name of its file there, "train" alone or with "dev"
    names   split -> the name that the visitor's file had
    """

    folder: str
    files: Mapping[str, str]
    names: Mapping[str, str]

    def table(self, split: str = "train") -> Table:
        """The rows of a split; dev rows with the columns of the training rows. Raises DataError."""
        return _table(self.folder, self.files[split], None if split == "train" else tuple(self.table().columns))

    def contents(self) -> dict[str, bytes]:
        """File name -> contents. Raises DataError where somebody has deleted them."""
        try:
            return {name: (Path(self.folder) / name).read_bytes() for name in self.files.values()}
        except OSError:
            raise DataError("The uploaded files are gone. Upload them again.") from None

    def said(self, text: str) -> str:
        """A message with the visitor's names of files in place of paths."""
        return _renamed(text, self.folder, self.files, self.names)

    def rows(self, task: Task) -> TaskData:
        """The rows of the task made of it. Raises DataError."""
        try:
            return _rows(task)
        except DataError as error:
            raise DataError(self.said(str(error))) from None


def take(files: Mapping[str, uploads.File], names: Mapping[str, str]) -> Upload:
    """Keeps uploaded files by split and reads them. Raises DataError naming every problem; then nothing is kept."""
    called = {split: f"{split}.{file.ending}" for split, file in files.items()}

    def check(made: Path) -> None:
        place = made / INSIDE
        try:
            for name in called.values():
                _check_characters(place / name, read_file(place / name))
        except DataError as error:
            raise DataError(_renamed(str(error), str(place), called, names)) from None

    contents = {f"{INSIDE}/{called[split]}": file.data for split, file in files.items()}
    folder, _ = uploads.put(contents, check)
    return Upload(str(folder / INSIDE), called, dict(names))


def _renamed(text: str, folder: str, files: Mapping[str, str], names: Mapping[str, str]) -> str:
    for split, file in files.items():
        text = text.replace(f"'{folder}/{file}'", quoted(names[split], 40))
    return text.replace(f"{folder}/", "")


def _check_characters(path: Path, table: Table) -> None:
    """Raises DataError for cells that would fill the memory, or that no page can show."""
    count = sum(len(cell) for cells in table.columns.values() for cell in cells if isinstance(cell, str))
    if count > MOST_CHARACTERS:
        raise DataError(f"The file '{path}' has {count:,} characters, more than {MOST_CHARACTERS:,}. Upload fewer "
                        "rows.")
    for name, cells in table.columns.items():
        if not all(map(_whole, {name, *(cell for cell in cells if isinstance(cell, str))})):
            raise DataError(f"The file '{path}' has half a character in the column {quoted(name, 40)}, which cannot be "
                            "shown. Save it again as UTF-8.")


def _whole(text: str) -> bool:
    """Whether a text has no half of a character, which JSON can write but no page can show."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=4)  # a folder is named by its contents, so it never changes
def _table(folder: str, name: str, needed: tuple[str, ...] | None) -> Table:
    return read_file(Path(folder) / name, needed)


@lru_cache(maxsize=4)
def _rows(task: Task) -> TaskData:
    return read_folder(task, "")
