"""The files of a run in the home folder. Loads no torch.

``compt.db`` next to ``artifacts/RUN/{prompts.safetensors, scores.safetensors, checkpoint-STEP.safetensors,
log.txt}``; the run's row says which checkpoint counts. Tensor files are written under a temporary name and renamed, so
that a reader sees a whole file or none. The holder of the lease writes them, or an import under its own lock.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from compt_core.errors import DiskError, StoreError
from compt_core.runs.ids import is_id
from compt_core.training.events import Checkpoint, Log

_CHECKPOINT, _SECONDS = "checkpoint", "seconds"  # names of a file and an array
_GONE = "deleted"  # file in the folder of a run that is being deleted, or is not completely imported yet
LOG_BYTES = 200_000  # the end of a log, which is what a reader gets


class Artifacts:
    """Files of the runs in ``HOME/artifacts``; run ids come from the store, never from a visitor."""

    def __init__(self, home: Path):
        self.folder = home / "artifacts"
        self._imports, self._brought = home / "import.lock", home / "imported"

    def write_tensors(self, run: str, name: str, tensors: Mapping[str, Any], backbone: Mapping[str, str] | None = None
                      ) -> None:
        """Writes NAME.safetensors whole or not at all; `tensors` are arrays, or anything numpy can read as one. The
        file's header names the `backbone` of prompts, for readers that meet the file elsewhere.

        Raises DiskError where the disk is full or cannot be written to.
        """
        data = save({key: np.array(value, order="C") for key, value in tensors.items()},
                    {"backbone": json.dumps(backbone)} if backbone else None)
        path = self.folder / run / f"{name}.safetensors"
        with _writing(path):
            handle, temporary = tempfile.mkstemp(dir=self._folder(run), prefix=f"{name}.", suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())  # after a power cut, no row may say completed without its file
                os.replace(temporary, path)
            except BaseException:
                _remove(Path(temporary))
                raise

    def write_results(self, run: str, prompts: Mapping[str, Any], scores: Mapping[str, Any],
                      backbone: Mapping[str, Any] | None) -> None:
        """Writes the files of a completed run, as :meth:`write_tensors`."""
        self.write_tensors(run, "prompts", prompts, backbone)
        self.write_tensors(run, "scores", scores)

    def read_tensors(self, run: str, name: str) -> dict[str, np.ndarray]:
        """The arrays of NAME.safetensors. Raises StoreError when it is missing or not whole."""
        path = self.folder / run / f"{name}.safetensors"
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise StoreError(f"The file '{path}' of run '{run}' cannot be read: {error}. "
                             "Train the run again, or put the file back.") from error

    def write_checkpoint(self, run: str, checkpoint: Checkpoint) -> None:
        """Writes checkpoint-STEP.safetensors next to an earlier one."""
        tensors = {**checkpoint.tensors, _SECONDS: np.float64(checkpoint.seconds)}
        self.write_tensors(run, f"{_CHECKPOINT}-{checkpoint.step}", tensors)

    def read_checkpoint(self, run: str, step: int, versions: Mapping[str, Any]) -> Checkpoint:
        """The checkpoint at `step`, taken with `versions`. Raises StoreError when its file is missing or not whole."""
        tensors = self.read_tensors(run, f"{_CHECKPOINT}-{step}")
        return Checkpoint(step, tensors, float(tensors.pop(_SECONDS, np.zeros(()))), versions)

    def keep_checkpoint(self, run: str, step: int | None) -> None:
        """Removes every checkpoint of a run except the one at `step`."""
        for path in (self.folder / run).glob(f"{_CHECKPOINT}-*"):
            if path.name != f"{_CHECKPOINT}-{step}.safetensors":
                _remove(path)

    def to_be_removed(self, run: str) -> None:
        """Marks a run's folder, so that a kill before :meth:`remove` leaves nothing behind. Raises DiskError."""
        if (self.folder / run).is_dir():
            with _writing(self.folder / run / _GONE):
                (self.folder / run / _GONE).touch()

    @contextmanager
    def importing(self, runs: Sequence[str]) -> Iterator[None]:
        """For writing files of `runs` that have no row yet: until the end, their new folders are marked for removal.
        There is one import at a time, and others wait for it. Raises DiskError."""
        with _writing(self._imports), FileLock(self._imports):
            for run in runs:
                if not any(self._folder(run).iterdir()):
                    self.to_be_removed(run)
            yield
            for run in runs:
                _remove(self.folder / run / _GONE)

    def remove(self, run: str) -> None:
        """Removes all files of a run, and last the mark that it is being deleted."""
        with suppress(OSError):
            for path in sorted((self.folder / run).iterdir(), key=lambda path: path.name == _GONE):
                _remove(path)
        shutil.rmtree(self.folder / run, ignore_errors=True)

    def brought(self, experiment: str) -> Path:
        """The folder of the rows of tasks that an imported experiment brought with it, a folder each."""
        return self._brought / experiment

    def keep_brought(self, experiment: str, folder: Path) -> None:
        """Moves `folder` there, in place of what an import that was killed left. Raises DiskError."""
        self.remove_brought(experiment)
        with _writing(self.brought(experiment)):
            self._brought.mkdir(exist_ok=True)
            folder.rename(self.brought(experiment))

    def remove_brought(self, experiment: str) -> None:
        """Removes that folder, if there is one and `experiment` is an id."""
        if is_id(experiment):
            shutil.rmtree(self.brought(experiment), ignore_errors=True)

    def tidy(self, known: Mapping[str, int | None]) -> None:
        """Removes what a kill left: half-written files, checkpoints that do not count (`known`: run -> step of the one
        that does), folders of runs that were deleted or not completely imported. Only the holder of the lease calls it.

        Other folders of runs that are not `known` stay, since their store may have been moved away. While another
        process imports, everything stays until the next time.
        """
        with suppress(OSError), FileLock(self._imports, blocking=False):
            for folder in self.folder.iterdir():
                if folder.name not in known and (folder / _GONE).exists():
                    self.remove(folder.name)
                    continue
                for path in folder.glob("*.tmp"):
                    _remove(path)
                if folder.name in known:
                    self.keep_checkpoint(folder.name, known[folder.name])
                else:
                    with suppress(OSError):  # it is not empty
                        folder.rmdir()

    def append_log(self, run: str, lines: Iterable[Log]) -> None:
        """Adds lines with the time to log.txt. On a full disk they are lost: no run is to fail because of its log."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        text = "".join(f"{now} step {line.step}: {' '.join(line.text.split())}\n" for line in lines)
        try:
            with (self._folder(run) / "log.txt").open("a", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as error:
            logging.getLogger(__name__).warning("The log of run %s cannot be written: %s", run, error)

    def read_log(self, run: str) -> str:
        """log.txt, or its end if it is long (the first line then says so); ``""`` if there is none."""
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


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turns errors of the disk into DiskError."""
    try:
        yield
    except OSError as error:
        raise DiskError(f"The file '{path}' cannot be written: {error.strerror or error}. Free some space or repair "
                        "the folder, then try again.") from error


def _remove(path: Path) -> None:
    """Removes a file that is of no more use, if possible."""
    with suppress(OSError):
        path.unlink()
