"""The files of a T5 checkpoint, checked without loading the model: sizes, weights, tokenizer. Loads no torch.

Both here and when the model is loaded, these are read, and its digest covers them all: config.json, the weights as
safetensors, and the tokenizer: tokenizer.json or, where there is none, spiece.model and tokenizer_config.json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from compt_core.backbone.config import T5_FAMILY as T5_FAMILY
from compt_core.backbone.config import T5Settings, read_settings
from compt_core.backbone.tokenizer import end_named_beside, read_pieces, tokenizer_files
from compt_core.backbone.weights import Weight, check_headers, check_numbers, read_headers
from compt_core.errors import BackboneError, quoted

Stamps = tuple[tuple[Path, int, int], ...]  # file, time of change in ns, bytes


@dataclass(frozen=True)
class BackboneFiles:
    """A checkpoint on disk that passed the checks: its reference as given, its folder, and sizes from its config.

    revision  of a hub id: the branch and the commit that were used; "" for a folder
    """

    ref: str
    folder: Path
    hidden: int  # H, width of an input embedding
    vocabulary: int
    layers: int  # encoder plus decoder
    revision: str = ""

    def digest(self) -> str:
        """sha256 over configuration, tokenizer and weights, which is all that is read: same digest, same backbone."""
        read = {"config.json", *tokenizer_files(self.folder)}
        return _digest(_stamps(file for file in self.folder.iterdir()
                               if file.suffix == ".safetensors" or file.name in read))

    def tokenizer_stamps(self) -> Stamps:
        """Time of change and size of the files that make the tokenizer: they stay the same while it does."""
        return _stamps(self.folder / name for name in tokenizer_files(self.folder))


def check_folder(ref: str, folder: Path, revision: str = "") -> BackboneFiles:
    """The checkpoint in `folder`, called `ref` in messages.

    Raises BackboneError if it is not a T5, its settings are not valid, its weights do not match them, or it has no
    fitting tokenizer.
    """
    settings, _ = read_model(ref, folder)
    files = BackboneFiles(ref, folder, settings.d_model, settings.vocab_size,
                          settings.num_layers + settings.decoder_layers, revision)
    _check_pieces(ref, folder, settings)
    return files


def _check_pieces(ref: str, folder: Path, settings: T5Settings) -> None:
    """Checks that the tokenizer fits the model: no piece beyond its table, and the end token of its training."""
    pieces = read_pieces(ref, folder)
    if pieces.last >= settings.vocab_size:
        raise BackboneError(f"The tokenizer of backbone '{ref}' has pieces with ids up to {pieces.last}, but the "
                            f"model's vocabulary has {settings.vocab_size}. Give the tokenizer that belongs to it.")
    end, named = pieces.tokenizer.id_to_token(settings.eos_token_id), end_named_beside(folder)
    if end is None:
        raise BackboneError(f"The tokenizer of backbone '{ref}' must have the end token that its config.json names "
                            f"(eos_token_id {settings.eos_token_id}). Got no piece with that id; give the tokenizer "
                            "that belongs to it.")
    if named not in (None, end):
        raise BackboneError(f"The config.json and the tokenizer_config.json of backbone '{ref}' must name the same end "
                            f"token. Got {quoted(end)} (eos_token_id {settings.eos_token_id}) and {quoted(named)}; set "
                            "eos_token_id to the one that the model was trained with.")


def read_model(ref: str, folder: Path) -> tuple[T5Settings, dict[str, Weight]]:
    """The settings of a checkpoint and the places of its weights, which match them. Raises BackboneError."""
    settings, weights = read_settings(ref, folder), read_headers(ref, folder)
    check_headers(ref, settings, weights)
    return settings, weights


def check_contents(files: BackboneFiles) -> None:
    """Reads all weights, once while they stay the same. Raises BackboneError where a number is not finite or far too
    large, or where two copies of one weight differ."""
    check_numbers(files.ref, *read_model(files.ref, files.folder))


def read_tokenizer(files: BackboneFiles) -> Any:
    """The checkpoint's tokenizer as the `tokenizers` library reads it, without torch. Raises BackboneError."""
    return read_pieces(files.ref, files.folder).tokenizer


def encoder(files: BackboneFiles) -> tuple[Callable[[list[str]], list[list[int]]], int | None]:
    """(texts -> the ids of each, without special tokens; the id for text that the tokenizer has no pieces for)."""
    found = read_pieces(files.ref, files.folder)
    encode = found.tokenizer.encode_batch_fast
    return lambda texts: [one.ids for one in encode(texts, add_special_tokens=False)], found.unknown


def unknown_words(files: BackboneFiles, words: Iterable[str]) -> list[str]:
    """The `words` that the backbone cannot write, because its tokenizer has no pieces for them."""
    encode, unknown = encoder(files)
    asked = list(dict.fromkeys(words))
    return [word for word, ids in zip(asked, encode(asked), strict=True) if not ids or unknown in ids]


def _stamps(files: Iterable[Path]) -> Stamps:
    return tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(files))


@lru_cache(maxsize=16)
def _digest(stamps: Stamps) -> str:
    digest = hashlib.sha256()
    for file, *_ in stamps:
        digest.update(file.name.encode())
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
