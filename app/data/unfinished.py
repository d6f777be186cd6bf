"""Tasks that are not kept yet: ``HOME/drafts/ID.json`` with what was chosen for an upload; ID stands in the address.

A reload, a closed tab or a stopped server ends the session, but not the draft. Files are JSON, written whole. An id of
an address is any text until it looks like one. Where two people change one draft, the second goes on in a new one.
No page here.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.data.reading import INSIDE, Upload
from app.ui import uploads
from compt_core.errors import DataError
from compt_core.home import home_folder
from compt_core.scratch import scratch
from compt_core.tasks.readers import FORMATS

DAYS, MOST = 30, 200  # since its last change until a draft is deleted, and how many there may be
LISTED = 5
_ID, _HASH = re.compile(r"[0-9a-f]{16}"), re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(rf"(train|dev)\.({'|'.join(FORMATS)})")
_GONE = ("This link names a draft that is no longer here: it was kept as a task, dropped, or not changed for "
         f"{DAYS} days. Upload the table again.")


@dataclass(frozen=True)
class Unfinished:
    """A draft: its upload, and the value of each field by its key in the session."""

    upload: Upload
    values: Mapping[str, Any]

    def written(self) -> str:
        """As text: the same draft is the same text."""
        return json.dumps({"folder": Path(self.upload.folder).parent.name, "files": dict(self.upload.files),
                           "names": dict(self.upload.names), "values": dict(sorted(self.values.items()))}, indent=1)


def read(identity: str) -> Unfinished:
    """The draft of an id, which may be any text. Raises DataError with a sentence for the page."""
    if not _ID.fullmatch(identity) or not _path(identity).is_file():
        raise DataError(_GONE)
    try:
        return _parsed(_path(identity).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DataError("The draft that this link names cannot be read. Upload the table again.") from None


def write(draft: Unfinished, identity: str = "", seen: str = "") -> str:
    """Keeps a draft and returns its id: a new one where there is none yet, or where what stands under `identity` is not
    what was `seen` there last, because somebody else has changed it. Raises DataError."""
    try:
        _folder().mkdir(parents=True, exist_ok=True)
        if not identity or (_path(identity).is_file() and _path(identity).read_text(encoding="utf-8") != seen):
            _clean()
            identity = secrets.token_hex(8)
        with scratch(_folder(), "draft") as room:
            (room / "draft").write_text(draft.written(), encoding="utf-8")
            (room / "draft").replace(_path(identity))
    except OSError as error:
        raise DataError(f"What you chose cannot be kept as a draft: {error.strerror or error}. Keep the task before "
                        "you leave the page.") from None
    return identity


def drop(identity: str, seen: str) -> None:
    """Deletes a draft and its upload, unless somebody else has changed it."""
    with suppress(OSError, ValueError):
        if _path(identity).read_text(encoding="utf-8") == seen:
            _delete(_path(identity))


def newest() -> list[tuple[str, Unfinished, float]]:
    """(id, draft, when it was changed) of those changed last, at most LISTED."""
    found = []
    for path in _by_age()[:LISTED]:
        with suppress(DataError, OSError):  # a damaged one, or just deleted
            found.append((path.stem, read(path.stem), path.stat().st_mtime))
    return found


def _folder() -> Path:
    return home_folder() / "drafts"


def _path(identity: str) -> Path:
    return _folder() / f"{identity}.json"


def _parsed(text: str) -> Unfinished:
    given = json.loads(text)
    files, names = dict(given["files"]), dict(given["names"])
    if not _HASH.fullmatch(given["folder"]) or "train" not in files or files.keys() != names.keys() or \
            not all(_FILE.fullmatch(file) for file in files.values()):
        raise ValueError
    return Unfinished(Upload(str(uploads.uploads_folder() / given["folder"] / INSIDE), files, names),
                      dict(given["values"]))


def _by_age() -> list[Path]:
    """All drafts, the newest first."""
    there = {}
    for path in _folder().glob("*.json"):
        with suppress(OSError):  # another session has just deleted it
            there[path] = path.stat().st_mtime
    return sorted(there, key=there.__getitem__, reverse=True)


def _clean() -> None:
    """Deletes the drafts that are too old or too many."""
    oldest = time.time() - DAYS * 86_400
    for number, path in enumerate(_by_age()):
        with suppress(OSError, ValueError):
            if number >= MOST - 1 or path.stat().st_mtime < oldest:
                _delete(path)


def _delete(path: Path) -> None:
    """Deletes a draft, and its uploaded files where no other draft is made of them."""
    name = ""
    with suppress(ValueError, AttributeError):  # damaged
        name = str(json.loads(path.read_text(encoding="utf-8")).get("folder"))
    path.unlink()
    used = any(name in other.read_text(encoding="utf-8", errors="replace") for other in _by_age())
    if _HASH.fullmatch(name) and not used:
        shutil.rmtree(uploads.uploads_folder() / name / INSIDE, ignore_errors=True)
        with suppress(OSError):  # what was uploaded for a public task stays
            (uploads.uploads_folder() / name).rmdir()
