"""The tokenizer of a checkpoint, checked before the library that runs it sees it. Loads no torch.

It stands in tokenizer.json. Older checkpoints have a spiece.model instead, and a ByT5, which reads bytes, has neither;
both are told in the words of a tokenizer.json first, so that one set of checks holds for all.

The library (Rust) ends on some odd files with a panic, which writes on stderr, and it follows the file without limits:
a few replacements in a row can turn one letter into a text that fills the memory, and a pattern can take for ever. So
only known steps are let through, each within bounds that no published tokenizer comes near.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

from compt_core.backbone import byte_pieces, spiece
from compt_core.backbone.charsmap import longest_entry
from compt_core.errors import BackboneError, quoted

WHOLE, SPIECE = "tokenizer.json", "spiece.model"
_BESIDE = ("tokenizer_config.json",)  # read where there is no tokenizer.json
LARGEST_FILE = 100_000_000  # bytes; mT5's, with 250,000 pieces, has 16 million
MOST_GROWTH = 100  # characters that one character may become; T5's own normalizer makes up to 18
NORMALIZERS = ("BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled",
               "Prepend", "Replace", "Sequence", "Strip", "StripAccents")
PRE_TOKENIZERS = ("BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "Metaspace", "Punctuation",
                  "Sequence", "Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit")
DECODERS = ("BPEDecoder", "ByteFallback", "ByteLevel", "CTC", "Fuse", "Metaspace", "Replace", "Sequence", "Strip",
            "WordPiece")
MODELS = ("BPE", "Unigram", "WordLevel", "WordPiece")
_STEPS = {"normalizer": NORMALIZERS, "pre_tokenizer": PRE_TOKENIZERS, "decoder": DECODERS, "model": MODELS}
_PARTS = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "decoder": "decoders"}
# From GPT-4 and Llama 3, and from Qwen 2: where two repeats follow each other there, they share no character.
_KNOWN_PATTERNS = frozenset(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits +
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+" for digits in (r"\p{N}{1,3}", r"\p{N}"))
_PROBE = "A word, 猫 ☃ \u0378 e\u0301 <x>"  # with characters that hardly any tokenizer has pieces for


@dataclass(frozen=True)
class Pieces:
    """A tokenizer of the `tokenizers` library, the id of its piece for unknown text, and its greatest id."""

    tokenizer: Any
    unknown: int | None
    last: int


def tokenizer_files(folder: Path) -> tuple[str, ...]:
    """The names of the files of `folder` that make its tokenizer, the one with its pieces first; () if there are none.

    A ByT5 has no file with pieces; that it is one stands in its tokenizer_config.json or its config.json.
    """
    there = [name for name in _BESIDE if (folder / name).is_file()]
    if (folder / WHOLE).is_file():
        return (WHOLE,)
    if reads_bytes(beside(folder)) or reads_bytes(beside(folder, "config.json")):
        return (*there, "config.json")
    return (SPIECE, *there) if (folder / SPIECE).is_file() else ()


def reads_bytes(about: dict[str, Any]) -> bool:
    """Whether a tokenizer_config.json or a config.json says that the model is a ByT5."""
    return about.get("tokenizer_class") == byte_pieces.CLASS


def read_pieces(ref: str, folder: Path) -> Pieces:
    """The tokenizer in `folder`, called `ref` in messages. Raises BackboneError if it is missing or not usable."""
    names = tokenizer_files(folder)
    try:
        stats = [(name, (folder / name).stat()) for name in names]
    except OSError:  # gone since
        names = ()
    if not names:
        raise BackboneError(f"The backbone '{ref}' has no tokenizer in '{folder}'. Put its tokenizer.json or its "
                            "spiece.model there, or save its tokenizer there with save_pretrained.")
    return _pieces(ref, folder, tuple((name, about.st_mtime_ns, about.st_size) for name, about in stats))


def end_named_beside(folder: Path) -> str | None:
    """The end token that tokenizer_config.json names, if it is there and names one."""
    named = beside(folder).get("eos_token")
    if isinstance(named, dict):  # an older way to write it
        named = named.get("content")
    return named if isinstance(named, str) else None


def beside(folder: Path, name: str = "tokenizer_config.json") -> dict[str, Any]:
    """What tokenizer_config.json contains: {} where it is missing or cannot be read."""
    try:
        about = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def as_json(folder: Path, name: str) -> str:
    """The tokenizer.json of a folder; where it has none, what it would say. `name`: the first of its tokenizer_files.

    Raises ValueError, OSError and RecursionError where the file cannot be read or must not be used.
    """
    if name == WHOLE:
        text = (folder / name).read_bytes().decode("utf-8")
        _check(json.loads(text))
        return text
    about = spiece.described(folder / name, beside(folder)) if name == SPIECE else byte_pieces.described()
    _check(about)
    return json.dumps(about, ensure_ascii=False)


@lru_cache(maxsize=4)
def _pieces(ref: str, folder: Path, files: tuple[tuple[str, int, int], ...]) -> Pieces:
    from tokenizers import Tokenizer

    name, _, size = files[0]
    try:
        if size > LARGEST_FILE:
            raise ValueError(f"it has {size:,} bytes, more than {LARGEST_FILE:,}")
        text = as_json(folder, name)
        tokenizer = Tokenizer.from_str(text)
        tokenizer.no_truncation()  # the file's settings for it are for other uses
        tokenizer.no_padding()
        tokenizer.encode_batch([_PROBE, ""], add_special_tokens=False)
        model, last = json.loads(text)["model"], max(tokenizer.get_vocab().values(), default=-1)
    except RecursionError:
        raise _unreadable(ref, name, "it is nested too deep") from None
    except (KeyboardInterrupt, SystemExit, TimeoutError):
        raise
    except BaseException as error:  # the library raises plain Exceptions, and its panics are not even those
        raise _unreadable(ref, name, " ".join(str(error).split())[:200]) from None
    unknown = model.get("unk_id")
    if unknown is None and model.get("unk_token") is not None:
        unknown = tokenizer.token_to_id(model["unk_token"])
    return Pieces(tokenizer, unknown, last)


def _unreadable(ref: str, name: str, reason: str) -> BackboneError:
    return BackboneError(f"The {name} of backbone '{ref}' cannot be used: {reason}. Save its fast tokenizer "
                         "again, or give another backbone.")


def _check(about: Any) -> None:
    """Raises ValueError where a tokenizer has a step that is not known or out of bounds."""
    if not isinstance(about, dict) or not isinstance(about.get("model"), dict):
        raise ValueError("it does not describe a tokenizer")
    growth = 1.0
    for part, known in _STEPS.items():
        steps = list(_steps(about.get(part), _PARTS.get(part)))
        for step in steps:
            if step.get("type") not in known:
                raise ValueError(f"its {part} has a step {quoted(step.get('type'))}, which is not one of "
                                 f"{', '.join(known)}")
            _check_pattern(part, step.get("pattern"))
        if part != "model":
            growth = max(growth, prod(map(_growth, steps)))
    if growth > MOST_GROWTH:
        raise ValueError(f"it turns one character into up to {growth:,.0f} characters, more than {MOST_GROWTH}")
    for name in ("dropout", "alpha", "nbest_size"):
        if about["model"].get(name):
            raise ValueError(f"its model cuts words at random ({name} {quoted(about['model'][name])}), so the same "
                             "text comes out differently each time")


def _steps(part: Any, inner: str | None) -> Iterator[dict[str, Any]]:
    """The steps of a part in their order, with sequences of steps opened."""
    if part is None:
        return
    if not isinstance(part, dict):
        raise ValueError(f"it has {quoted(part)} where a step should be")
    yield part
    if inner in part and part.get("type") == "Sequence":
        if not isinstance(part[inner], list):
            raise ValueError(f"it has {quoted(part[inner])} where a list of steps should be")
        for one in part[inner]:
            yield from _steps(one, inner)


def _growth(step: dict[str, Any]) -> float:
    """How many characters a step may make of one character."""
    if step.get("type") == "Precompiled":
        return longest_entry(base64.b64decode(str(step.get("precompiled_charsmap")), validate=True))
    if step.get("type") == "Prepend":  # once per text
        return max(1, len(str(step.get("prepend"))) / 10)
    if step.get("type") != "Replace":
        return 1
    pattern = step.get("pattern")
    literal = pattern.get("String") if isinstance(pattern, dict) else None
    return max(1, len(str(step.get("content"))) / (len(literal) if isinstance(literal, str) and literal else 1))


def _check_pattern(part: str, pattern: Any) -> None:
    """Raises ValueError for a regular expression that may try more and more ways the longer a text is."""
    if not isinstance(pattern, dict) or "Regex" not in pattern or pattern["Regex"] in _KNOWN_PATTERNS:
        return
    text = str(pattern["Regex"])
    plain = re.sub(r"\[[^\]]*\]", "x", re.sub(r"\\p\{\^?\w+\}|\\.", "x", text, flags=re.DOTALL))
    repeats = r"[*+]|\{\d*,?\d*\}"
    if (re.search(r"\)(" + repeats + ")", plain) or re.search(r"\\[1-9k]", text) or len(text) > 1000
            or any(len(re.findall(r"[*+]|\{\d+,\}|\{\d*,?\d{3,}\}", way)) > 1 for way in plain.split("|"))):
        raise ValueError(f"its {part} has the pattern {quoted(text)}, which may take for ever on a long text. Give one "
                         "with at most one repeat between two '|', and none after a bracket")
