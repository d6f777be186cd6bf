"""The files of a T5 checkpoint, checked without loading the model: sizes, weights, tokenizer. Loads no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from compt_core.errors import BackboneError, quoted

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
        """sha256 over configuration, tokenizer and weights: equal digests, equal backbones."""
        stat = tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in _hashed(self.folder))
        return _digest(self.folder, stat)


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
        return _as_trained(Tokenizer.from_file(str(path)), path.with_name("tokenizer_config.json"))
    except Exception as error:  # the library raises bare Exceptions
        raise BackboneError(f"The tokenizer.json of backbone '{ref}' cannot be read: "
                            f"{' '.join(str(error).split())[:200]}. Save its fast tokenizer anew.") from None


def _as_trained(tokenizer: Any, config: Path) -> Any:
    """The tokenizer as transformers reads a T5Tokenizer, whatever older files say of white space: it parts words."""
    from tokenizers import normalizers, pre_tokenizers

    tokenizer.no_truncation()
    tokenizer.no_padding()
    named = json.loads(config.read_text(encoding="utf-8")).get("tokenizer_class") if config.is_file() else None
    if named not in ("T5Tokenizer", "T5TokenizerFast"):
        return tokenizer
    given = tokenizer.normalizer
    parts = [given[i] for i in range(len(given))] if isinstance(given, normalizers.Sequence) else [given]
    tokenizer.normalizer = next((one for one in parts if isinstance(one, normalizers.Precompiled)), None)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    return tokenizer


def encoder(files: BackboneFiles) -> tuple[Callable[[list[str]], list[list[int]]], int | None]:
    """(texts -> the ids of each, without special tokens; the id for what the tokenizer has no pieces for)."""
    tokenizer = read_tokenizer(files)
    model = json.loads(tokenizer.to_str())["model"]
    unknown = model.get("unk_id")
    if unknown is None and model.get("unk_token") is not None:
        unknown = tokenizer.token_to_id(model["unk_token"])
    return lambda texts: [one.ids for one in tokenizer.encode_batch_fast(texts, add_special_tokens=False)], unknown


def unknown_words(files: BackboneFiles, words: Iterable[str]) -> list[str]:
    """Those of `words` that the backbone cannot write: its tokenizer has no pieces for them."""
    encode, unknown = encoder(files)
    asked = list(dict.fromkeys(words))
    return [word for word, ids in zip(asked, encode(asked), strict=True) if not ids or unknown in ids]


def _hashed(folder: Path) -> list[Path]:
    named = ("config.json", "tokenizer.json")
    return sorted(file for file in folder.iterdir() if file.suffix == ".safetensors" or file.name in named)


@lru_cache(maxsize=8)
def _digest(folder: Path, stat: tuple[Any, ...]) -> str:
    digest = hashlib.sha256()
    for file in _hashed(folder):
        digest.update(file.name.encode())
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
