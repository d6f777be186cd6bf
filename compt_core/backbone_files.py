"""The files of a T5 checkpoint, checked without loading the model: sizes, weights, tokenizer. Loads no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from compt_core.errors import BackboneError, quoted

_BESIDE = ("added_tokens.json", "special_tokens_map.json", "tokenizer_config.json")
T5_FAMILY = ("t5", "mt5")  # not umt5: transformers and its published weights disagree on how its head is tied


@dataclass(frozen=True)
class BackboneFiles:
    """A checkpoint on disk that passed the checks: its reference as given, folder, and sizes from its config."""

    ref: str
    folder: Path
    hidden: int  # H, width of an input embedding
    vocabulary: int
    layers: int  # encoder plus decoder

    def digest(self) -> str:
        """sha256 over configuration, tokenizer.json and weights."""
        return _digest(_stamps(file for file in self.folder.iterdir()
                               if file.suffix == ".safetensors" or file.name in ("config.json", "tokenizer.json")))

    def tokenizer_digest(self) -> str:
        """sha256 over what transformers reads beside tokenizer.json: it can change the ids of a text."""
        return _digest(_stamps(file for file in self.folder.iterdir() if file.name in _BESIDE))


def check_folder(ref: str, folder: Path) -> BackboneFiles:
    """The checkpoint in `folder`, called `ref` in messages.

    Raises BackboneError: no T5, sizes missing, no whole safetensors, no fitting tokenizer.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = config.get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError):
        raise BackboneError(f"The backbone '{ref}' has no readable config.json in '{folder}'. Give a folder written "
                            "by save_pretrained of a T5 model and its tokenizer.") from None
    if kind not in T5_FAMILY:
        raise BackboneError(f"The backbone '{ref}' must be of the T5 family ({', '.join(T5_FAMILY)}). "
                            f"Got model type {quoted(kind)} instead.")
    sizes = {name: config.get(name) for name in ("d_model", "vocab_size", "num_layers")}
    sizes["num_decoder_layers"] = config.get("num_decoder_layers") or sizes["num_layers"]
    wrong = [name for name, size in sizes.items() if not isinstance(size, int) or size < 1]
    if wrong:
        raise BackboneError(f"The config.json of backbone '{ref}' must give {' and '.join(wrong)} as a whole number. "
                            f"Got {quoted(sizes[wrong[0]])} instead; save the model anew with save_pretrained.")
    if not isinstance(config.get("decoder_start_token_id"), int):
        raise BackboneError(f"The config.json of backbone '{ref}' must name a decoder_start_token_id (0 for T5). "
                            "Got none; add it.")
    _check_weights(ref, folder)
    if not (folder / "tokenizer.json").is_file():
        raise BackboneError(f"The backbone '{ref}' has no tokenizer.json in '{folder}'. "
                            "Save its fast tokenizer there with save_pretrained.")
    files = BackboneFiles(ref, folder, sizes["d_model"], sizes["vocab_size"],
                          sizes["num_layers"] + sizes["num_decoder_layers"])
    pieces = read_tokenizer(files).get_vocab_size()
    if pieces > files.vocabulary:
        raise BackboneError(f"The tokenizer of backbone '{ref}' has {pieces} pieces, more than the model's vocabulary "
                            f"of {files.vocabulary}. Give the tokenizer that belongs to it.")
    return files


def _check_weights(ref: str, folder: Path) -> None:
    """All weight files are there, none is cut off; their headers are read, not the weights."""
    from safetensors import SafetensorError, safe_open

    if (folder / "adapter_config.json").exists():
        raise BackboneError(f"The backbone '{ref}' has an adapter_config.json in '{folder}': transformers would add "
                            "that adapter to it where peft is installed, and nowhere else. Merge it into the weights, "
                            "or move it away.")
    found = {file.name for file in folder.glob("*.safetensors")}
    if not found:
        pickled = [file.name for ending in ("bin", "pt", "pth", "ckpt") for file in sorted(folder.glob(f"*.{ending}"))]
        got = f"Got only pickled weights ({pickled[0]}), which can run code when loaded" if pickled else "Got none"
        raise BackboneError(f"The backbone '{ref}' must hold its weights as .safetensors. {got}; "
                            "convert them with save_pretrained first.")
    for index in folder.glob("*.safetensors.index.json"):
        try:
            named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise BackboneError(f"The file '{index.name}' of backbone '{ref}' cannot be read. "
                                "Save the complete model with save_pretrained.") from None
        if named - found:
            raise BackboneError(f"The backbone '{ref}' lacks the weight file '{min(named - found)}', which its index "
                                "names. Copy or download it again.")
    for name in sorted(found):
        try:
            with safe_open(folder / name, "numpy"):
                pass
        except (OSError, SafetensorError) as error:
            raise BackboneError(f"The weight file '{name}' of backbone '{ref}' is broken: {error}. "
                                "Copy or download it again.") from None


def read_tokenizer(files: BackboneFiles) -> Any:
    """The checkpoint's tokenizer as the `tokenizers` library reads it, without torch. Raises BackboneError."""
    path = files.folder / "tokenizer.json"
    return _tokenizer(files.ref, path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _tokenizer(ref: str, path: Path, changed: int) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exceptions
        raise BackboneError(f"The tokenizer.json of backbone '{ref}' cannot be read: "
                            f"{' '.join(str(error).split())[:200]}. Save its fast tokenizer anew.") from None


def unknown_words(files: BackboneFiles, words: Iterable[str]) -> list[str]:
    """Those of `words` that the backbone cannot write: its tokenizer has no pieces for them."""
    tokenizer = read_tokenizer(files)
    model = json.loads(tokenizer.to_str())["model"]
    unknown = model.get("unk_id")
    if unknown is None and model.get("unk_token") is not None:
        unknown = tokenizer.token_to_id(model["unk_token"])
    pieces = {word: tokenizer.encode(word, add_special_tokens=False).ids for word in words}
    return [word for word, ids in pieces.items() if not ids or unknown in ids]


def same_backbone(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two descriptions (`Backbone.describe`) are of one backbone; what earlier versions did not write down
    counts as equal."""
    beside = one.get("tokenizer"), other.get("tokenizer")
    return one.get("hash") == other.get("hash") and (None in beside or beside[0] == beside[1])


Stamps = tuple[tuple[Path, int, int], ...]  # file, time of change in ns, bytes


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
