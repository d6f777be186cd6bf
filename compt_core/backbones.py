"""The frozen backbone: the bundled demo T5, a local folder, or a hub id. Torch is loaded lazily.

:func:`find_backbone` answers "can this be used?" from the files alone, before anything is queued;
:func:`load_backbone` loads it. Only safetensors are read, and no code of a checkpoint is ever run.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compt_core.errors import BackboneError

if TYPE_CHECKING:
    import torch

DEMO = Path(__file__).resolve().parent.parent / "assets" / "demo-t5"
T5_FAMILY = ("t5", "mt5", "umt5")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_FILES = ["config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*",
          "special_tokens_map.json", "spiece.model", "added_tokens.json"]


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


@dataclass(frozen=True)
class Backbone:
    """A loaded backbone in eval mode, no weight of which ever gets a gradient.

    lock  held for each forward and backward pass, so that a page's what-if and training can share it
    """

    files: BackboneFiles
    model: Any
    tokenizer: Any
    device: torch.device
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def hidden(self) -> int:
        return self.files.hidden

    def describe(self) -> dict[str, str]:
        """What a result stands on, as JSON: id, hash, device and dtype."""
        return {"id": self.files.ref, "hash": self.files.digest(), "device": str(self.device),
                "dtype": str(self.model.dtype).removeprefix("torch.")}


def find_backbone(ref: str) -> BackboneFiles:
    """Locate and check a checkpoint without loading it; a hub id is downloaded into the hub's cache.

    Raises BackboneError: no such folder or hub id, no T5, no safetensors, no tokenizer.
    """
    if ref == "demo":
        folder = DEMO
    elif Path(ref).is_dir():
        folder = Path(ref).resolve()
    elif Path(ref).exists() or ref.startswith((".", "/", "~")) or ref.count("/") > 1 or not _HUB_ID.fullmatch(ref):
        raise BackboneError(f"The backbone '{ref}' is no folder. Give 'demo', a folder with a T5 checkpoint, "
                            "or a hub id such as google/t5-v1_1-small.")
    else:
        folder = _download(ref)
    return _check(ref, folder)


def _check(ref: str, folder: Path) -> BackboneFiles:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = config.get("model_type")
    except (OSError, ValueError, AttributeError):
        raise BackboneError(f"The backbone '{ref}' has no readable config.json in '{folder}'. Give a folder written "
                            "by save_pretrained of a T5 model and its tokenizer.") from None
    if kind not in T5_FAMILY:
        raise BackboneError(f"The backbone '{ref}' must be of the T5 family ({', '.join(T5_FAMILY)}). "
                            f"Got model type '{kind}' instead.")
    if not list(folder.glob("*.safetensors")):
        pickled = list(folder.glob("*.bin")) + list(folder.glob("*.pt")) + list(folder.glob("*.ckpt"))
        got = f"Got only pickled weights ({pickled[0].name}), which can run code when loaded" if pickled else "Got no weights"
        raise BackboneError(f"The backbone '{ref}' must hold its weights as .safetensors. {got}; "
                            "convert them with save_pretrained first.")
    if not (folder / "tokenizer.json").is_file():
        raise BackboneError(f"The backbone '{ref}' has no tokenizer.json in '{folder}'. "
                            "Save its fast tokenizer there with save_pretrained.")
    layers = config.get("num_layers", 0)
    return BackboneFiles(ref, folder, config.get("d_model", 0), config.get("vocab_size", 0),
                         layers + (config.get("num_decoder_layers") or layers))


def _download(ref: str) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(ref, allow_patterns=_FILES, etag_timeout=5))
    except RepositoryNotFoundError:
        raise BackboneError(f"The hub has no public model '{ref}'. Check the id, or give a local folder.") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        offline = " (HF_HUB_OFFLINE is set)" if constants.HF_HUB_OFFLINE else ""
        raise BackboneError(
            f"The backbone '{ref}' is no local folder and could not be fetched from the hub{offline}: "
            f"{type(error).__name__}. Check the network, or download it elsewhere and give its folder."
        ) from error


def load_backbone(files: BackboneFiles, device: str | None = None) -> Backbone:
    """Load a checked checkpoint, frozen and in eval mode: on `device`, or else cuda, mps or cpu.

    bfloat16 on CUDA, float32 elsewhere. Raises BackboneError where weights are missing or broken.
    """
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    place = torch.device(device or best_device())
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(files.folder, **safe)
        model, info = AutoModelForSeq2SeqLM.from_pretrained(
            files.folder, use_safetensors=True, output_loading_info=True,
            dtype=torch.bfloat16 if place.type == "cuda" else torch.float32, **safe)
    except Exception as error:  # whatever a broken file makes the libraries raise, it is this file's fault
        reason = " ".join(str(error).split())[:200]
        raise BackboneError(f"The backbone '{files.ref}' cannot be loaded from '{files.folder}': {reason}") from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise BackboneError(f"The backbone '{files.ref}' lacks {len(missing)} weights, the first of them '{missing[0]}'. "
                            "Save the complete model with save_pretrained.")
    if tokenizer.eos_token_id is None or model.config.decoder_start_token_id is None:
        raise BackboneError(f"The backbone '{files.ref}' must name an end token in its tokenizer and a "
                            "decoder_start_token_id in its config.json (0 for T5). Got none.")
    if len(tokenizer) > model.config.vocab_size:
        raise BackboneError(f"The tokenizer of backbone '{files.ref}' has {len(tokenizer)} pieces, more than the "
                            f"model's vocabulary of {model.config.vocab_size}. Give the tokenizer that belongs to it.")
    return Backbone(files, model.requires_grad_(False).eval().to(place), tokenizer, place)


def best_device() -> str:
    """The first of cuda, mps and cpu that torch finds."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _hashed(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.suffix == ".safetensors" or f.name in ("config.json", "tokenizer.json"))


@lru_cache(maxsize=8)
def _digest(folder: Path, stat: tuple[Any, ...]) -> str:
    digest = hashlib.sha256()
    for file in _hashed(folder):
        digest.update(file.name.encode())
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
