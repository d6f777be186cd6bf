"""The home folder: where it is, and the files of a run in it. Loads no torch.

``compt.db`` beside ``artifacts/RUN/{prompts.safetensors, scores.safetensors, log.txt}``. Tensor
files are written under a temporary name and renamed, so that a reader sees a whole file or none.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

import compt_core
from compt_core.errors import StoreError

LOG_BYTES = 200_000  # what a reader gets of a log: its end


def home_folder() -> Path:
    """``COMPT_HOME``, or ``.compt`` in the project's root."""
    given = os.environ.get("COMPT_HOME", "").strip()
    return Path(given).expanduser().absolute() if given else Path(compt_core.__file__).resolve().parents[1] / ".compt"


class Artifacts:
    """Files of the runs below ``HOME/artifacts``; run ids come from the store, never from a visitor."""

    def __init__(self, home: Path):
        self.folder = home / "artifacts"

    def write_tensors(self, run: str, name: str, tensors: Mapping[str, Any]) -> None:
        """Writes NAME.safetensors whole or not at all; `tensors` are arrays, or what numpy can read as one."""
        folder = self._folder(run)
        data = save({key: np.array(value, order="C") for key, value in tensors.items()})
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f"{name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # the row that says completed must not outlive its file in a power cut
            os.replace(temporary, folder / f"{name}.safetensors")
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def read_tensors(self, run: str, name: str) -> dict[str, np.ndarray]:
        """The arrays of NAME.safetensors. Raises StoreError when it is missing or not whole."""
        path = self.folder / run / f"{name}.safetensors"
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise StoreError(f"The file '{path}' of run '{run}' cannot be read: {error}. "
                             "Train the run again, or put the file back.") from error

    def append_log(self, run: str, lines: Iterable[str]) -> None:
        """Adds lines to log.txt."""
        with (self._folder(run) / "log.txt").open("a", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{line}\n" for line in lines)

    def read_log(self, run: str) -> str:
        """log.txt, or its end where it is long (the first line then says so); ``""`` when there is none."""
        path = self.folder / run / "log.txt"
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - LOG_BYTES))
                text = file.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        if size <= LOG_BYTES:
            return text
        return f"… {size - LOG_BYTES} bytes above are left out; the whole log is in log.txt of the run.\n" \
            + text.partition("\n")[2]

    def _folder(self, run: str) -> Path:
        folder = self.folder / run
        folder.mkdir(parents=True, exist_ok=True)
        return folder
