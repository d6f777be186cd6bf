"""The frozen backbone: the bundled demo T5, a local folder, or a hub id. Torch is loaded lazily.

:func:`find_backbone` answers "can this be used?" from the files alone, before anything is queued;
:func:`load_backbone` loads it. Only safetensors are read, and no code of a checkpoint is ever run.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compt_core.backbone_files import BackboneFiles as BackboneFiles
from compt_core.backbone_files import check_folder
from compt_core.errors import BackboneError, nearest, quoted

if TYPE_CHECKING:
    import torch

    from compt_core.room import Room
    from compt_core.score_cache import ScoreCache

DEMO = Path(__file__).resolve().parent.parent / "assets" / "demo-t5"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")  # of at most 96 characters
HUB_SECONDS = 5.0  # without an answer in this time the hub counts as unreachable
_FILES = ["config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*",
          "special_tokens_map.json", "spiece.model", "added_tokens.json"]


@dataclass(frozen=True)
class Backbone:
    """A loaded backbone in eval mode, no weight of which ever gets a gradient.

    rooms  how passes fit the device, by their kind: "train" or "score"
    cache  label scores that are known already
    """

    files: BackboneFiles
    model: Any
    tokenizer: Any
    device: torch.device
    rooms: dict[str, Room]
    cache: ScoreCache

    @property
    def hidden(self) -> int:
        return self.files.hidden

    def describe(self) -> dict[str, str]:
        """What a result stands on, as JSON: id, hashes, device and dtype."""
        return {"id": self.files.ref, "hash": self.files.digest(), "tokenizer": self.files.tokenizer_digest(),
                "device": str(self.device), "dtype": str(self.model.dtype).removeprefix("torch.")}


def find_backbone(ref: str, fetch: bool = True) -> BackboneFiles:
    """Locate and check a checkpoint without loading it; a hub id is downloaded into the hub's cache where `fetch`,
    else taken as it lies there, and no network is used.

    Raises BackboneError: no such folder or hub id, not in the cache, no T5, no whole safetensors, no tokenizer.
    """
    if ref == "demo":
        folder = DEMO
    elif os.path.isdir(ref):  # unlike Path.is_dir it answers for any text, however long
        folder = Path(ref).resolve()
    elif os.path.exists(ref) or len(ref) > 96 or not _HUB_ID.fullmatch(ref):
        raise BackboneError(f"The backbone {quoted(ref, 200)} is no folder. Give 'demo', a folder with a T5 "
                            "checkpoint, or a hub id such as google-t5/t5-small.")
    else:
        folder = _download(ref) if fetch else _cached(ref)
    return check_folder(ref, folder)


def _cached(ref: str) -> Path:
    """The folder of a hub id in the hub's cache, as it is."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(ref, allow_patterns=_FILES, local_files_only=True))
    except Exception:  # nothing there, a cache that cannot be read, …: the same for who asks
        raise BackboneError(f"The backbone '{ref}' is not in the hub's cache on this machine, and to look at results "
                            f"downloads nothing. Fetch it with 'hf download {ref}', then open this again.") from None


def _download(ref: str) -> Path:
    """The folder of a hub id in the hub's cache, brought up to date where the hub answers."""
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    hint = nearest(ref, ("demo",))
    reason = "HF_HUB_OFFLINE is set"
    if not constants.HF_HUB_OFFLINE:
        try:  # asked first, for snapshot_download waits for an answer without end
            HfApi().model_info(ref, timeout=HUB_SECONDS)
            reason = ""
        except RepositoryNotFoundError:
            raise BackboneError(f"The hub has no public model '{ref}'. Check the id, or give a local folder."
                                f"{hint}") from None
        except Exception:  # errors of the hub, of the network and of the disk have no common type
            reason = "it cannot be reached"
    try:
        return Path(snapshot_download(ref, allow_patterns=_FILES, local_files_only=bool(reason)))
    except Exception as error:
        if not reason or not isinstance(error, LocalEntryNotFoundError):
            reason = type(error).__name__
        raise BackboneError(f"The backbone '{ref}' is no local folder and could not be fetched from the hub: {reason}. "
                            f"Check the network, or download it elsewhere and give its folder.{hint}") from error


def load_backbone(files: BackboneFiles, device: str | None = None) -> Backbone:
    """Load a checked checkpoint, frozen and in eval mode: on `device`, or else cuda, mps or cpu.

    bfloat16 on CUDA, float32 elsewhere; with CUDA, cuDNN's attention is switched off for the whole process.
    Raises BackboneError where weights are missing or broken.
    """
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    from compt_core.room import new_room
    from compt_core.score_cache import ScoreCache
    from compt_core.threads import Turns

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
        raise BackboneError(f"The backbone '{files.ref}' lacks {len(missing)} weights, the first of them "
                            f"'{missing[0]}'. Save the complete model with save_pretrained.")
    if tokenizer.eos_token_id is None:
        raise BackboneError(f"The tokenizer of backbone '{files.ref}' must name an end token. Got none; save it anew "
                            "with eos_token.")
    if place.type == "cuda":  # cuDNN plans its attention anew for every number of rows: a step took ten times as long
        torch.backends.cuda.enable_cudnn_sdp(False)
    model.generation_config = _greedy(model.config, tokenizer)
    lock = Turns()  # one for both kinds
    rooms = {kind: new_room(place, files.hidden, lock) for kind in ("train", "score")}
    return Backbone(files, model.requires_grad_(False).eval().to(place), tokenizer, place, rooms, ScoreCache())


def _greedy(config: Any, tokenizer: Any) -> Any:
    """Greedy generation and nothing else: a checkpoint's own settings may ask for beams, a least length or forced
    tokens, and what they are is in no hash."""
    from transformers import GenerationConfig

    end = tokenizer.eos_token_id  # what label words end with
    return GenerationConfig(decoder_start_token_id=config.decoder_start_token_id, eos_token_id=end, pad_token_id=end,
                            do_sample=False, num_beams=1)


def best_device() -> str:
    """The first of cuda, mps and cpu that torch finds."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


