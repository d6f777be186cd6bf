"""The backbone `english`: a real English T5 for machines without a hub, fetched once from PyPI. Loads no torch.

It is kept in ``COMPT_HOME/backbones/english``, or in the folder that ``COMPT_ENGLISH`` names. Nothing is ever fetched
unless :func:`fetch` is called.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from compt_core.backbone.files import check_contents, check_folder
from compt_core.backbone.title_model import write_checkpoint
from compt_core.errors import OF_DISK, BackboneError, DiskError, quoted
from compt_core.home import home_folder
from compt_core.scratch import scratch

ENGLISH = "english"  # its name as a backbone
PACKAGE, VERSION = "traceforge-title-model", "0.2.0"
SHA256 = "41e051205c01f724a0d12ad65a52ca4e90661de3fd959e6ce2efab4919024d31"  # of its wheel
SIZE = "68 MB from PyPI"
COMMAND = "python -m compt_core backbone fetch english"
ORIGIN = (f"The backbone '{ENGLISH}' is a real English T5: flan-t5-small of Google (Apache-2.0, instruction-tuned on "
          f"GLUE among others), rounded to 8 bits and tuned on titles by the authors of {PACKAGE} {VERSION} (MIT).")
LICENCES = "MIT; the original flan-t5-small is Apache-2.0"
FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "METADATA", "ORIGIN.txt")
_PIP_SECONDS = 1800  # for the download
_SOURCES = f"""{ORIGIN}

Made by ComPT Lab out of the wheel of https://pypi.org/project/{PACKAGE}/{VERSION}/, whose sha256 is
{SHA256}. Its weights were written as float32 numbers, and nothing else
was changed. METADATA, from the wheel, names its authors and its licence. The original model is
https://huggingface.co/google/flan-t5-small.
"""


def origin(ref: str) -> str:
    """Where a backbone comes from and under which licence, in a sentence; "" for any other than `english`."""
    return ORIGIN if ref == ENGLISH else ""


def folder() -> Path:
    """Where it is kept, whether it is there or not: ``COMPT_ENGLISH``, or ``backbones/english`` in the home folder."""
    given = os.environ.get("COMPT_ENGLISH", "").strip()
    return Path(given).expanduser().absolute() if given else home_folder() / "backbones" / ENGLISH


def present() -> bool:
    """Whether it has been fetched, with all its files."""
    return all((folder() / name).is_file() for name in FILES)


def fetched() -> Path:
    """The folder of the fetched backbone. Raises BackboneError with the way to fetch it where it is not there."""
    if not present():
        raise BackboneError(f"The backbone '{ENGLISH}' is not in '{folder()}' yet. It is {SIZE}. Fetch it with "
                            f"'{COMMAND}', or with the button below the backbone on Launch.")
    return folder()


def fetch(progress: Callable[[str], None] = lambda _: None) -> Path:
    """The folder of the backbone, fetched from PyPI and converted where it is not there yet or is damaged.

    `progress` gets a few words at each step. The folder appears whole or not at all. Two processes may call this at
    once: one of them fetches, the other waits. Raises BackboneError, or DiskError where the disk is full or failing.
    """
    place = folder()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _turn(FileLock(place.parent / f".{place.name}.lock"), progress):
            if not _whole(place, progress):
                _insist_on_own(place)
                _make(place, progress)
    except OSError as error:
        said = f"The backbone '{ENGLISH}' could not be written to '{place}': {error.strerror or error}."
        if error.errno in OF_DISK:
            raise DiskError(f"{said} It needs 0.5 GB while it is made. Free some space, then try again.") from None
        name = "COMPT_ENGLISH" if os.environ.get("COMPT_ENGLISH", "").strip() else "COMPT_HOME"
        raise BackboneError(f"{said} Set {name} to a folder on a local disk that you may write to.") from None
    return place


def _insist_on_own(place: Path) -> None:
    """Raises BackboneError where a folder holds anything but an earlier fetch, since it is deleted as a whole."""
    names = {one.name for one in place.iterdir()} if place.is_dir() else set()
    if names and ("ORIGIN.txt" not in names or names - set(FILES)):
        raise BackboneError(f"The folder '{place}' must be new, empty or an earlier fetch of the backbone '{ENGLISH}', "
                            f"so that nothing is lost. Got {quoted(min(names - {'ORIGIN.txt'} - set(FILES) or names))} "
                            "in it. Set COMPT_ENGLISH to another folder, or empty this one.")


def _turn(lock: FileLock, progress: Callable[[str], None]) -> AbstractContextManager[Any]:
    """Holds the lock, once it is free."""
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        progress("Another process is fetching it: waiting for that …")
        return lock.acquire()


def _whole(place: Path, progress: Callable[[str], None]) -> bool:
    """Whether a usable backbone is there already."""
    if not present():
        return False
    progress("It is there already: checking its numbers …")
    try:
        check_contents(check_folder(ENGLISH, place))
    except BackboneError:
        progress("It is damaged and is made again.")
        return False
    return True


def _make(place: Path, progress: Callable[[str], None]) -> None:
    """Puts the backbone in its place, after it was made and checked in a hidden folder next to it."""
    with scratch(place.parent, place.name) as room:
        progress(f"Downloading {SIZE} ({PACKAGE} {VERSION}) …")
        wheel = _download(room)
        progress("Checking the download …")
        with wheel.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
        if got != SHA256:
            raise BackboneError(f"The file {wheel.name} that pip downloaded must have the sha256 {SHA256}. Got {got} "
                                "instead, so it was not used. Try again, or look at the index that pip is set to.")
        made = room / "made"
        made.mkdir()
        try:
            write_checkpoint(wheel, made, progress)
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise BackboneError(f"The file {wheel.name} could not be converted: {error}. Its sha256 is the right one, "
                                "so please report this.") from error
        (made / "ORIGIN.txt").write_text(_SOURCES, encoding="utf-8")
        progress("Checking its numbers …")
        check_contents(check_folder(ENGLISH, made))
        if place.is_dir():
            shutil.rmtree(place)
        made.replace(place)
    progress(f"It is in '{place}'.")


def _download(room: Path) -> Path:
    """The wheel, downloaded by pip into `room`, where pip also keeps its temporary files. Raises BackboneError."""
    into = room / "wheel"
    call = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python",
            "--no-input", "--no-cache-dir", "--disable-pip-version-check", "--progress-bar", "off", "--timeout", "15",
            "--retries", "2", "--dest", str(into), f"{PACKAGE}=={VERSION}"]
    with tempfile.TemporaryDirectory(dir=room) as temporary:
        try:
            done = subprocess.run(call, cwd=temporary, env=os.environ | {"TMPDIR": temporary}, text=True,
                                  capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=_PIP_SECONDS)
            said = "" if done.returncode == 0 else done.stderr
        except subprocess.TimeoutExpired:
            said = f"it took more than {_PIP_SECONDS // 60} minutes"
    if not said and (wheels := list(into.glob("*.whl"))):
        return wheels[0]
    raise BackboneError(f"The backbone '{ENGLISH}' ({SIZE}, {PACKAGE} {VERSION}) could not be downloaded: "
                        f"{_reason(said)}. Check the network and try again, or run '{COMMAND}' on a machine that "
                        f"reaches PyPI and copy its folder to '{folder()}'.")


def _reason(said: str) -> str:
    """Why pip failed, in some words of its own."""
    if re.search("connection|timed out|resol", said, re.IGNORECASE):
        return "PyPI cannot be reached"
    if "(from versions: none)" in said:
        return "the package index that pip is set to does not have it, or pip may not use that index"
    if "No module named pip" in said:
        return f"{sys.executable} has no pip"
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    words = errors[0] if errors else " ".join(said.split()) or "pip left no file"
    return f"pip says: {words[:200].rstrip('. ')}"
