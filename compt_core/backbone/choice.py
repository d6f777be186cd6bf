"""What a list of files leads to: which of them are read, and what stands in the way. Pure, so that it can be asked
about a folder, a list from the hub, or a list in a test."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from compt_core.backbone.config import T5_FAMILY, model_type, only_encoder
from compt_core.backbone.tokenizer import SPIECE, WHOLE, reads_bytes
from compt_core.errors import BackboneError, quoted

BESIDE = ("config.json", WHOLE, "tokenizer_config.json", SPIECE)  # all that may be read beside the weights
PICKLED_INDEX = "pytorch_model.bin.index.json"
_SAFE = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json")
_PICKLED = re.compile(r"pytorch_model(-\d{5}-of-\d{5})?\.bin|pytorch_model\.bin\.index\.json")
_OTHER = re.compile(r".*\.(bin|pt|pth|ckpt|h5|msgpack|ot|onnx|gguf)")
_ALSO_PICKLED = (".bin", ".pt", ".pth", ".ckpt")

Weights = Literal["safetensors", "pickled", "other", "none"]
Tokenizer = Literal["tokenizer.json", "spiece.model", "bytes", "none"]


@dataclass(frozen=True)
class Plan:
    """What is read of a model.

    weights    how its weights are stored; "pickled" ones are read by `backbone convert` alone
    tokenizer  what makes its tokenizer; "bytes" for a ByT5, which has no file
    files      the files that are read, by name
    problem    what stands in the way, as a sentence to put behind "The backbone 'x' "; "" if nothing does
    """

    weights: Weights
    tokenizer: Tokenizer
    files: tuple[str, ...]
    problem: str = ""

    def insist(self, ref: str) -> None:
        """Raises BackboneError if something stands in the way."""
        if self.problem:
            raise BackboneError(f"The backbone '{ref}' {self.problem.replace('REF', _in_a_shell(ref))}")


def _in_a_shell(ref: str) -> str:
    """A reference as a word of a command that itself stands in single quotes."""
    return ref if shlex.quote(ref) == ref else '"' + re.sub(r'([$`!"\\])', r"\\\1", ref) + '"'


def choose(names: Collection[str], config: Mapping[str, Any] | None = None, beside: Mapping[str, Any] | None = None
           ) -> Plan:
    """What is read of a model that has files called `names`, those in folders left out.

    Without its `config` (config.json) and what lies `beside` it (tokenizer_config.json), only the names are judged;
    a model without files for a tokenizer may then be a ByT5.
    """
    weights, files = _weights(names)
    about = dict(config or {})
    tokenizer: Tokenizer = ("tokenizer.json" if WHOLE in names else
                            "bytes" if reads_bytes(dict(beside or {})) or reads_bytes(about) else
                            "spiece.model" if SPIECE in names else
                            "bytes" if config is None and "tokenizer_config.json" in names else "none")
    read = tuple(name for name in BESIDE if name in names) + files
    return Plan(weights, tokenizer, read, _problem(names, weights, tokenizer, files, None if config is None else about))


def _weights(names: Collection[str]) -> tuple[Weights, tuple[str, ...]]:
    """How the weights are stored, and the names of their files."""
    for kind, pattern in (("safetensors", _SAFE), ("pickled", _PICKLED)):
        found = tuple(sorted(name for name in names if pattern.fullmatch(name)))
        if any(not name.endswith(".json") for name in found):
            return kind, found  # type: ignore[return-value]
    other = tuple(sorted(name for name in names if "/" not in name and _OTHER.fullmatch(name)))
    return ("other" if other else "none"), other[:1]


def _problem(names: Collection[str], weights: Weights, tokenizer: Tokenizer, files: tuple[str, ...],
             config: dict[str, Any] | None) -> str:
    if "config.json" not in names:
        return "has no config.json. Give a T5 as save_pretrained writes it."
    if config is not None and model_type(config) not in T5_FAMILY:
        return (f"must be of the T5 family ({', '.join(T5_FAMILY)}). Got model type "
                f"{quoted(model_type(config))} instead.")
    if config is not None and only_encoder(config):
        return (f"must have an encoder and a decoder. Got an encoder alone ({quoted(config['architectures'][0])}); "
                "give the complete model.")
    if weights == "pickled":
        return pickled(files[0])
    if weights != "safetensors":
        got = ("Got none" if not files else
               f"Got only pickled weights ({files[0]}), which can run code when loaded"
               if files[0].endswith(_ALSO_PICKLED) else f"Got only {quoted(files[0])}")
        return f"must hold its weights as .safetensors. {got}; save the model with save_pretrained first."
    if tokenizer == "none":
        return "has no tokenizer. It needs a tokenizer.json or a spiece.model beside its weights."
    return ""


def pickled(file: str) -> str:
    """The sentence on pickled weights, with REF for the reference."""
    return (f"must hold its weights as .safetensors. Got only pickled weights ({file}), which can run code when "
            "loaded; convert them with 'python -m compt_core backbone convert REF OUT', and give the folder OUT.")
