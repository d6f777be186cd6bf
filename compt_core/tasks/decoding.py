"""Bytes as text: UTF-8, or what else they are recognised as. Loads no torch."""

from __future__ import annotations

import codecs
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from compt_core.errors import DataError
from compt_core.tasks.tables import empty

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

_OLD = [f"cp{page}" for page in (437, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869)]  # of
# DOS, which would be taken for the quotation marks of Windows
_RARE = ["cp1125", "cp1258", "mac_cyrillic", "mac_iceland", "mac_latin2", "mac_turkish"]  # would be taken for accents
_AS_CLEAN = 0.1  # more disorder that windows-1252 may have: it counts the accents of French and Portuguese as some
_SPEAKS = 0.04  # by which the likeliest language must fit better in another encoding than in windows-1252
_SAMPLE = 200_000  # bytes by which an encoding is recognised


def read_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """The file's text, without a byte order mark and with unchanged line ends, and a note where it is not UTF-8."""
    data = path.read_bytes()
    try:
        text, notes = data.decode("utf-8-sig"), tuple[str, ...]()
        if "\0" in text[:1000] and not data.startswith(codecs.BOM_UTF8):
            raise UnicodeError
    except UnicodeError:
        text, called = _recognised(path, data)
        notes = (f"The file '{path}' is not UTF-8. It is read as {called}; save it as UTF-8 if letters look wrong.",)
    if not text or text.isspace():
        raise empty(path)
    return text, notes


def _recognised(path: Path, data: bytes) -> tuple[str, str]:
    """The text of a file that is not UTF-8, and the name of its encoding."""
    from charset_normalizer import from_bytes

    by_marks = json.detect_encoding(data[:4])  # by marks and NULs, since every table begins with ASCII
    if by_marks.startswith(("utf-16", "utf-32")):
        with suppress(UnicodeError):
            return data.decode(by_marks).removeprefix("\ufeff"), by_marks.upper()
    sample = data[:_SAMPLE] if len(data) <= _SAMPLE else data[: data.rfind(b"\n", 0, _SAMPLE) + 1 or _SAMPLE]
    best = None if b"\0" in sample else from_bytes(sample, cp_exclusion=[*_OLD, *_RARE]).best()
    west = None if best is None else from_bytes(sample, cp_isolation=["cp1252"]).best()
    if best is not None and west is not None and west.chaos <= best.chaos + _AS_CLEAN and not _speaks_for(best, west):
        best = west  # the usual one where nothing tells them apart
    if best is not None:
        for called in (best.encoding, "cp1252"):
            with suppress(UnicodeError):
                return data.decode(called), called.replace("_", "-")
    raise DataError(f"The file '{path}' is not text in UTF-8 or any other encoding that can be recognised. Save it as "
                    "UTF-8.")


def _speaks_for(match: CharsetMatch, west: CharsetMatch) -> bool:
    """Whether the letters of `match` are those of a language that windows-1252 cannot write."""
    if {"ő", "ű"} <= set(str(match)):  # Hungarian; no language of the west has the letters õ and û of these bytes
        return True
    return match.coherence > west.coherence + (_SPEAKS if match.language == west.language else 0)
