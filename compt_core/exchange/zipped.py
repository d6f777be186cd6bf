"""A zip file with a manifest: written, and read as hostile input. Loads no torch.

manifest.json holds the format, the version of the project and the sha256 of each other member. Nothing is unpacked
before every name, size and kind of member is as it must be, and nothing is used whose sha256 is not the manifest's.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from compt_core.errors import OF_DISK, DataError, quoted

MANIFEST = "manifest.json"
FORMAT = 1
MOST_MEMBERS = 2000
MOST_MANIFEST, MOST_JSON, MOST_FILE, MOST_IN_ALL = 1_000_000, 64_000_000, 1_000_000_000, 2_000_000_000  # bytes
_HASH = re.compile(r"[0-9a-f]{64}")
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x07"  # what the two records at the end of an archive begin with
_END_BYTES, _END_64_BYTES = 22, 20
_BLOCK = 1 << 20
_KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, OverflowError, KeyError,
           NotImplementedError)  # what zipfile raises for a file that is no whole zip archive


def write(file: BinaryIO, members: Mapping[str, Path], about: Mapping[str, Any]) -> None:
    """Writes the `members` (name -> file) and their manifest, with what it says `about` them. The same members give
    the same bytes. Raises OSError, and DataError where they are more than :func:`unpack` takes."""
    sizes = [path.stat().st_size for path in members.values()]
    if len(members) >= MOST_MEMBERS or sum(sizes) > MOST_IN_ALL or max(sizes) > MOST_FILE:
        raise DataError(f"There is too much for one zip file: more than {MOST_MEMBERS:,} files, {MOST_FILE // 10**9} "
                        f"GB in one of them or {MOST_IN_ALL // 10**9} GB in all. Give the data folder by itself.")
    hashes = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(members.items()):
            digest = hashlib.sha256()
            with path.open("rb") as source, archive.open(_entry(name), "w") as target:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    target.write(block)
            hashes[name] = digest.hexdigest()
        manifest = {"format": FORMAT, **about, "members": hashes}
        archive.writestr(_entry(MANIFEST), json.dumps(manifest, indent=1, sort_keys=True))


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # without a time
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o644) << 16
    return entry


def unpack(path: Path, folder: Path, allowed: re.Pattern[str], what: str) -> dict[str, Any]:
    """Unpacks a zip file into `folder`, which is empty, and returns its manifest. Member names must match `allowed`.

    Raises DataError for any other file, which calls it `what`, with the reason. What is in the folder then is not to be
    used.
    """
    try:
        with path.open("rb") as file:
            _check_end(file)
            with zipfile.ZipFile(file) as archive:
                entries = _checked(archive.infolist(), allowed)
                manifest = _manifest(archive.open(entries.pop(MANIFEST)).read(MOST_MANIFEST))
                if manifest["members"].keys() != entries.keys():
                    raise ValueError("its manifest names other files than it has")
                for name, entry in entries.items():
                    if _extract(archive, entry, folder / PurePosixPath(name)) != manifest["members"][name]:
                        raise ValueError(f"{quoted(name)} is not what its manifest says")
    except FileNotFoundError:
        raise DataError(f"There is no file {quoted(str(path), 200)}.") from None
    except (*_BROKEN, RecursionError) as error:
        if isinstance(error, OSError) and error.errno in OF_DISK:
            raise
        raise DataError(f"{what} cannot be imported: {getattr(error, 'strerror', None) or error or 'it is broken'}. "
                        "Export it again.") from None
    return manifest


def read_json(path: Path) -> Any:
    """The JSON of a file of at most MOST_JSON bytes. Raises ValueError."""
    if path.stat().st_size > MOST_JSON:
        raise ValueError(f"'{path.name}' is larger than {MOST_JSON // 10**6} MB")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"'{path.name}' is nested too deeply") from None


def _check_end(file: BinaryIO) -> None:
    """Refuses an archive whose list of members would not fit into memory before the list is read."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES - _END_64_BYTES))
    tail = file.read()
    end, before = tail[-_END_BYTES:], tail[:-_END_BYTES]
    if size > MOST_IN_ALL:
        raise ValueError(f"it is larger than {MOST_IN_ALL // 10**9} GB")
    if not end.startswith(_END) or before.startswith(_END_64):
        raise ValueError("it is no zip file as ComPT Lab writes it")
    if int.from_bytes(end[10:12], "little") > MOST_MEMBERS or int.from_bytes(end[12:16], "little") > MOST_MANIFEST:
        raise ValueError(f"it has more than {MOST_MEMBERS:,} files")
    file.seek(0)


def _checked(found: list[zipfile.ZipInfo], allowed: re.Pattern[str]) -> dict[str, zipfile.ZipInfo]:
    """The members by name. Raises ValueError unless each is a plain file of an allowed name and size."""
    entries = {entry.filename: entry for entry in found}
    if len({name.casefold() for name in entries}) < len(found):
        raise ValueError("it has two files of the same name")
    if MANIFEST not in entries:
        raise ValueError("it has no manifest")
    for name, entry in entries.items():
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if name != entry.orig_filename or not (name == MANIFEST or allowed.fullmatch(name)) \
                or any(part in ("", ".", "..") for part in name.split("/")):
            raise ValueError(f"no file in it may be called {quoted(entry.orig_filename)}")
        if kind not in (0, stat.S_IFREG) or entry.is_dir() or entry.flag_bits & 1 or entry.compress_type not in _KINDS:
            raise ValueError(f"{quoted(name)} in it is no plain file")
        if entry.file_size > (MOST_MANIFEST if name == MANIFEST else MOST_FILE):
            raise ValueError(f"{quoted(name)} in it is too large")
    if sum(entry.file_size for entry in found) > MOST_IN_ALL:
        raise ValueError(f"it would unpack to more than {MOST_IN_ALL // 10**9} GB")
    return entries


def _manifest(data: bytes) -> dict[str, Any]:
    read = json.loads(data)
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise ValueError("its format is not one that this version of ComPT Lab reads")
    members = read.get("members")
    if not isinstance(members, dict) or not all(isinstance(one, str) and _HASH.fullmatch(one)
                                                for one in members.values()):
        raise ValueError("its manifest has no sha256 of each file")
    return read


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> str:
    """Writes a member, no more of it than its declared size, and returns its sha256."""
    digest, left = hashlib.sha256(), entry.file_size
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("xb") as file:
        while block := source.read(min(_BLOCK, left + 1)):
            left -= len(block)
            if left < 0:
                raise ValueError(f"{quoted(entry.filename)} is larger than it says")
            digest.update(block)
            file.write(block)
    if left:
        raise ValueError(f"{quoted(entry.filename)} is shorter than it says")
    return digest.hexdigest()
