"""The frozen backbone: the bundled demo T5, the English one, a local folder, or a hub id. Torch is loaded lazily.

:func:`find_backbone` answers "can this be used?" from the files alone, before anything is queued;
:func:`load_backbone` loads it. Only safetensors are read, and no code of a checkpoint is ever run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compt_core.backbone import hub
from compt_core.backbone.config import HEAD, TABLES, T5Settings
from compt_core.backbone.english import ENGLISH, fetched, origin
from compt_core.backbone.files import BackboneFiles as BackboneFiles
from compt_core.backbone.files import check_contents, check_folder, read_model, read_tokenizer
from compt_core.backbone.weights import Weight
from compt_core.errors import BackboneError, quoted

if TYPE_CHECKING:
    import torch

    from compt_core.backbone.cache import ScoreCache
    from compt_core.backbone.passes import Room

NAMED = ("demo", ENGLISH)  # these names mean the same in every folder
DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo-t5"


@dataclass(frozen=True)
class Backbone:
    """A loaded backbone in eval mode; none of its weights ever gets a gradient.

    rooms  how passes fit the device, by kind: "train" or "score"
    cache  label scores that are already known
    """

    files: BackboneFiles
    digest: str  # of the files at the time of loading
    model: Any
    tokenizer: Any
    device: torch.device
    rooms: dict[str, Room]
    cache: ScoreCache

    @property
    def hidden(self) -> int:
        return self.files.hidden

    @cached_property
    def table_deviation(self) -> float:
        """Standard deviation of the embedding table's numbers. Three significant digits, so that every device and
        number type, which round differently, give the same."""
        table = self.model.get_input_embeddings().weight
        parts = [part.double() for part in table[:len(self.tokenizer)].split(1 << 12)]
        mean = sum(float(part.sum()) for part in parts) / sum(part.numel() for part in parts)
        squares = sum(float((part - mean).square().sum()) for part in parts)
        return float(f"{math.sqrt(squares / sum(part.numel() for part in parts)):.3g}")

    def describe(self) -> dict[str, str]:
        """What a result was made with, as JSON: id, hash, device and dtype; of a hub id, the revision, too, and of the
        English one, its origin."""
        about = {"id": self.files.ref, "hash": self.digest, "device": str(self.device),
                 "dtype": str(self.model.dtype).removeprefix("torch."),
                 "revision": self.files.revision, "origin": origin(self.files.ref)}
        return {name: said for name, said in about.items() if said}


def find_backbone(ref: str, fetch: bool = True) -> BackboneFiles:
    """Locate and check a checkpoint without loading it. With `fetch`, a hub id is downloaded into the hub's cache;
    without it, the cache is used as it is, and no network. The English one is never downloaded here. A hub id may have
    a revision behind it: ID@REVISION.

    Raises BackboneError: no such folder or hub id, not in the cache, not a T5, safetensors or tokenizer missing.
    """
    if ref == "demo":
        return check_folder(ref, DEMO)
    if ref == ENGLISH:
        return check_folder(ref, fetched())
    if os.path.isdir(ref):  # unlike Path.is_dir it answers for any text, however long
        return check_folder(ref, Path(ref).resolve())
    asked = None if os.path.exists(ref) else hub.parse(ref)
    if asked is None:
        raise BackboneError(f"The backbone {quoted(ref, 200)} is not a folder. Give 'demo', 'english', a folder with "
                            "a T5 checkpoint, or a hub id such as google-t5/t5-small.")
    folder, revision = hub.download(asked) if fetch else hub.cached(asked)
    return check_folder(ref, folder, revision)


def load_backbone(files: BackboneFiles, device: str | None = None) -> Backbone:
    """Load a checked checkpoint, frozen and in eval mode, on `device` or by default on cuda, mps or cpu.

    bfloat16 on CUDA, float32 elsewhere; with CUDA, cuDNN's attention is switched off for the whole process.
    Raises BackboneError where weights are missing, broken, not finite, or too large for the device.
    """
    import torch
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import logging

    from compt_core.backbone.cache import ScoreCache
    from compt_core.backbone.passes import new_room
    from compt_core.threads import Turns

    place = torch.device(device or best_device())
    logging.set_verbosity_error()
    digest = files.digest()
    check_contents(files)
    settings, weights = read_model(files.ref, files.folder)
    reader = read_tokenizer(files)
    ends = {name: reader.id_to_token(number) for name, number in
            (("eos_token", settings.eos_token_id), ("pad_token", settings.pad_token_id)) if number is not None}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=reader, clean_up_tokenization_spaces=False, **ends)
    try:
        model = _build(settings, weights, place)
    except Exception as error:  # anything that the libraries raise when a file changes meanwhile
        reason = " ".join(str(error).split())[:200]
        raise BackboneError(f"The backbone '{files.ref}' cannot be loaded from '{files.folder}': {reason}") from error
    if files.digest() != digest:
        raise BackboneError(f"The files of backbone '{files.ref}' changed while it was being loaded. Try again when "
                            "they are complete.")
    if place.type == "cuda":  # cuDNN plans its attention again for every number of rows: a step took ten times as long
        torch.backends.cuda.enable_cudnn_sdp(False)
    model.generation_config = _greedy(model.config, tokenizer)
    lock = Turns()  # one for both kinds
    rooms = {kind: new_room(place, files.hidden, lock) for kind in ("train", "score")}
    return Backbone(files, digest, model, tokenizer, place, rooms, ScoreCache())


def _build(settings: T5Settings, weights: Mapping[str, Weight], place: torch.device) -> Any:
    """The model that the settings describe, with exactly these weights, frozen and in eval mode.

    transformers' own loading fills gaps, leaves out layers and ties weights by its own rules. Here a weight goes where
    its name says, and the table of words goes to every module that reads it.
    """
    import torch
    from safetensors import safe_open
    dtype = dtype_on(place.type)
    with torch.device("meta"):  # only shapes, no memory
        model = _empty(settings)
    loaded: dict[str, Any] = {}
    table = next(name for name in TABLES if name in weights)
    shared = {*TABLES, HEAD} if settings.one_table or HEAD not in weights else set(TABLES)
    wanted = model.state_dict().keys() - shared | {table}
    for file in sorted({weights[name].file for name in wanted}):
        with safe_open(file, "pt") as handle:
            for name in sorted(wanted):
                if weights[name].file == file:  # a copy, since a mapped weight would change with its file
                    tensor = handle.get_tensor(name).to(place, dtype, copy=True)
                    loaded[name] = torch.nn.Parameter(tensor, requires_grad=False)
    loaded |= dict.fromkeys(shared, loaded[table])
    model.load_state_dict(loaded, assign=True)
    return model.requires_grad_(False).eval()


def _empty(settings: T5Settings) -> Any:
    """transformers' own model of the settings, as it stands before its weights come."""
    import transformers

    name = {"t5": "T5", "mt5": "MT5", "umt5": "UMT5"}[settings.model_type]
    config = getattr(transformers, f"{name}Config")(**settings.for_transformers())
    if settings.model_type == "umt5":
        config.tie_word_embeddings = settings.scaled  # its forward pass, which generation uses, scales by this
    return getattr(transformers, f"{name}ForConditionalGeneration")(config)


def dtype_on(device: str) -> torch.dtype:
    """The type of the weights on a device: bfloat16 on CUDA, float32 elsewhere."""
    import torch

    return torch.bfloat16 if device.startswith("cuda") else torch.float32


def _greedy(config: Any, tokenizer: Any) -> Any:
    """Greedy generation and nothing else. A checkpoint's own settings may ask for beams, a least length or forced
    tokens, and no hash says what those are."""
    from transformers import GenerationConfig

    end = tokenizer.eos_token_id  # label words end with it
    return GenerationConfig(decoder_start_token_id=config.decoder_start_token_id, eos_token_id=end, pad_token_id=end,
                            do_sample=False, num_beams=1)


def best_device() -> str:
    """The first of cuda, mps and cpu that torch finds."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
