"""Pickled weights into safetensors: ``python -m compt_core backbone convert REF OUT``. Loads no torch.

The pickle is read by another process (compt_core/backbone/unpickle.py). What it writes goes through all checks of a
backbone, and only then takes the name OUT.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from compt_core.backbone import hub
from compt_core.backbone.choice import choose
from compt_core.backbone.config import read_settings
from compt_core.backbone.files import BackboneFiles, check_contents, check_folder
from compt_core.backbone.load import NAMED, find_backbone
from compt_core.backbone.tokenizer import SPIECE, WHOLE, as_json, read_pieces, tokenizer_files
from compt_core.errors import OF_DISK, BackboneError, DiskError, quoted
from compt_core.scratch import scratch

ROOT = Path(__file__).resolve().parents[2]
Tell = Callable[[str], None]


def convert(ref: str, out: str, tell: Tell = lambda _: None) -> BackboneFiles:
    """Writes the checkpoint `ref` with pickled weights as safetensors, with its tokenizer, into the new folder `out`.

    `tell` gets a line for each step. Raises BackboneError, and DiskError where the disk is full or failing.
    """
    target = _free(out)
    source = _pickled(ref, tell)
    read_settings(ref, source)
    read_pieces(ref, source)  # before the long part
    try:
        os.makedirs(target.parent, exist_ok=True)
        with scratch(target.parent, "convert") as room:
            made = room / "t5"
            made.mkdir()
            _copy_words(source, made)
            tell(f"Reading the pickled weights of '{ref}' in a process of its own.")
            _weights(ref, source, made)
            tell("Checking every number of what came out.")
            check_contents(check_folder(ref, made))
            made.replace(target)  # over a folder only if that is empty
    except OSError as error:
        reason = f"The folder {quoted(out, 200)} cannot be written: {error.strerror or error}."
        if error.errno in OF_DISK:
            raise DiskError(f"{reason} Free some space on its disk or repair it, then try again.") from None
        raise BackboneError(f"{reason} Name another folder.") from None
    return find_backbone(str(target))


def _free(out: str) -> Path:
    """The absolute path of a folder that is not there, or is empty. Raises BackboneError."""
    try:
        target = Path(os.path.abspath(out))
        taken = not out.strip() or "\0" in out or (os.path.lexists(target) and (
            target.is_symlink() or not target.is_dir() or any(target.iterdir())))
    except (OSError, ValueError):  # not to be read, or no path at all
        taken = True
    if taken:
        raise BackboneError(f"The folder OUT must be new or empty, so that nothing is lost. Got {quoted(out, 200)}; "
                            "name another one.")
    return target


def _pickled(ref: str, tell: Tell) -> Path:
    """The folder with the pickled weights of `ref`; those of a hub id are fetched into the hub's cache."""
    if ref not in NAMED and os.path.isdir(ref):
        folder = Path(ref).resolve()
        plan = choose([file.name for file in folder.iterdir()])
        _insist(ref, plan.weights)
        return folder
    asked = None if ref in NAMED or os.path.exists(ref) else hub.parse(ref)
    if asked is None:
        raise BackboneError(f"Only a folder or a hub id can be converted. Got {quoted(ref, 200)}; give one with "
                            "pickled weights.")
    try:
        listing = hub.look(asked)
    except hub.Unreachable as error:
        raise BackboneError(f"The backbone '{ref}' could not be fetched from the hub: {error}. Check the network, or "
                            "download it elsewhere and give its folder.") from None
    _insist(ref, listing.plan.weights)
    tell(f"Fetching the pickled weights of '{ref}'.")
    return hub.fetched(listing).absolute()  # HF_HOME may be a path from here; the other process starts elsewhere


def _insist(ref: str, weights: str) -> None:
    """Raises BackboneError unless there are pickled weights and nothing better."""
    if weights == "safetensors":
        raise BackboneError(f"The backbone '{ref}' needs no conversion, for its weights are safetensors. Give it as it "
                            "is.")
    if weights != "pickled":
        raise BackboneError(f"The backbone '{ref}' must hold its weights as pytorch_model.bin, or in parts "
                            "pytorch_model-00001-of-… . Got none of these; give another one.")


def _copy_words(source: Path, made: Path) -> None:
    """Copies what is not weights: the configuration, the model card and the tokenizer, a spiece.model as the
    tokenizer.json that it stands for."""
    names = tokenizer_files(source)
    for name in {"config.json", "README.md", "tokenizer_config.json", *names} - {SPIECE}:
        if (source / name).is_file():
            shutil.copyfile(source / name, made / name)
    if SPIECE in names:
        (made / WHOLE).write_text(as_json(source, SPIECE), encoding="utf-8")


def _weights(ref: str, source: Path, made: Path) -> None:
    """Has the other process write the weights. Raises BackboneError."""
    code, said = in_a_process(source, made)
    try:
        problem = json.loads(said).get("problem", "") if code == 0 else (
            f"cannot be read: {'it was killed, perhaps for want of memory' if code < 0 else 'its process failed'}. Try "
            "again with more memory, or save the model elsewhere with save_pretrained")
    except (ValueError, AttributeError):
        problem = "cannot be read: its process said nothing. Try again"
    if problem:
        raise BackboneError(f"The pickled weights of backbone '{ref}' {problem.rstrip('.')}.")


def in_a_process(source: Path, made: Path) -> tuple[int, str]:
    """Exit code and output of the process that reads the pickle."""
    done = subprocess.run([sys.executable, "-m", "compt_core.backbone.unpickle", str(source), str(made)], cwd=ROOT,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, done.stdout
