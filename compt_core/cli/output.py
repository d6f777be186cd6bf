"""Files that a person asked for: a bad path is reported before the work, and no file is ever seen half-written."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar

from compt_core.errors import OF_DISK, ComptError, ConfigError, DiskError, Issue, quoted
from compt_core.scratch import scratch

T = TypeVar("T")
Write = Callable[[TextIO], None]


def writable(path: Path, option: str) -> Path:
    """The file that `path` leads to, links followed. Tries now what would otherwise fail after the training.

    Raises ConfigError that names the `option` it was given for, and DiskError.
    """
    try:
        file = Path(os.path.realpath(path))
        if os.path.isdir(path):
            raise IsADirectoryError(0, "it is a folder; name a file in it")
        if os.path.islink(file):
            raise OSError(0, "it is a link that leads to itself")
        if _is_stream(path):
            raise OSError(0, "it is a device, a pipe or this command's own output; name a file")
        if not os.path.isdir(file.parent):
            raise FileNotFoundError(0, "its folder does not exist; create it first")
        _partial(file).touch()
        _partial(file).unlink()
        return file
    except (OSError, ValueError) as error:
        raise _refused(f"The file {quoted(str(path), 200)}", option, error) from None


def write_file(file: Path, text: str) -> None:
    """Writes `file` under a temporary name, then renames it. Raises OSError."""
    _partial(file).write_text(text, encoding="utf-8")
    _partial(file).replace(file)


def write_binary(file: Path, write: Callable[[BinaryIO], T], option: str) -> T:
    """As :func:`write_file`, with what `write` writes; returns what it returns. Raises ConfigError and DiskError."""
    try:
        with _partial(file).open("wb") as target:
            done = write(target)
        _partial(file).replace(file)
        return done
    except OSError as error:
        raise _refused(f"The file {quoted(str(file), 200)}", option, error) from None
    finally:
        with suppress(OSError):
            _partial(file).unlink(missing_ok=True)


def write_folder(path: str, files: Mapping[str, Write], option: str) -> None:
    """Makes the folder `path` and writes `files` (name -> writes the text) into it, replacing files of the same names.

    The files are written into a hidden folder in it first and moved once all are whole. Raises ConfigError that names
    the `option` the folder was given for, and DiskError.
    """
    folder = Path(path)
    try:
        if not path.strip():  # an empty variable in a script, for example; it would mean the current folder
            raise FileNotFoundError(0, "it has no name")
        os.makedirs(folder, exist_ok=True)
        blocked = next((name for name in files if (folder / name).is_dir()), None)
        if blocked:
            raise IsADirectoryError(0, f"'{blocked}' in it is a folder; move it away")
        with scratch(folder, "export") as whole:
            for name, write in files.items():
                with open(whole / name, "w", encoding="utf-8", newline="") as file:
                    write(file)
            for name in files:
                os.replace(whole / name, folder / name)
    except (OSError, ValueError) as error:
        raise _refused(f"The folder {quoted(path, 200)}", option, error) from None


def _refused(what: str, option: str, error: Exception) -> ComptError:
    if isinstance(error, OSError) and error.errno in OF_DISK:
        return DiskError(f"{what} of {option} cannot be written: {error.strerror}. Free some space on its disk or "
                         "repair it, then try again.")
    taken = isinstance(error, FileExistsError)
    reason = "it is a file; name a folder" if taken else getattr(error, "strerror", None) or error
    return ConfigError([Issue(option.strip("-"), f"{what} of {option} cannot be written: {reason}.")])


def _is_stream(path: Path) -> bool:
    """Whether `path` exists and is not a regular file, or is the file that stdout or stderr goes to."""
    if not os.path.exists(path):
        return False
    at = os.stat(path)
    if not stat.S_ISREG(at.st_mode):
        return True
    for number in (1, 2):
        with suppress(OSError):  # closed
            if os.path.samestat(at, os.fstat(number)):
                return True
    return False


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".part")
