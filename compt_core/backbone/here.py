"""The backbones that are on this machine: those that come with the project, and those in the hub's cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compt_core.backbone import english, hub
from compt_core.backbone.choice import choose
from compt_core.backbone.config import T5_FAMILY, T5Settings, model_type, read_settings
from compt_core.backbone.files import read_model
from compt_core.backbone.load import DEMO
from compt_core.backbone.tokenizer import beside
from compt_core.errors import BackboneError


@dataclass(frozen=True)
class Here:
    """A T5 on this machine: the reference to give, its settings, the bytes of its files, and what is missing."""

    ref: str
    settings: T5Settings | None
    size: int
    lacks: str


def on_this_machine() -> list[Here]:
    """All T5s that can be named without a network, those of the project first."""
    own = {"demo": DEMO} | ({english.ENGLISH: english.folder()} if english.present() else {})
    return [_of(ref, folder) for ref, folder in own.items()] + sorted(_cached(), key=lambda one: one.ref)


def _of(ref: str, folder: Path) -> Here:
    plan = choose([file.name for file in folder.iterdir()], beside(folder, "config.json"), beside(folder))
    settings, lacks = None, plan.problem.replace("REF", ref)
    try:
        settings = read_settings(ref, folder)
        read_model(ref, folder)  # of the weights, only what stands at the head of their files
    except BackboneError as error:
        lacks = lacks or str(error)
    size = sum((folder / name).stat().st_size for name in plan.files)
    return Here(ref, settings, size, lacks)


def _cached() -> Iterator[Here]:
    """The T5s in the hub's cache: a model at each revision that lies there."""
    from huggingface_hub import constants, scan_cache_dir

    try:
        found = scan_cache_dir(constants.HF_HUB_CACHE)
    except Exception:  # no cache yet, or one that cannot be read
        return
    for model in found.repos:
        if model.repo_type == "model":
            for revision in model.revisions:
                folder = Path(revision.snapshot_path)
                with suppress(OSError):
                    if model_type(beside(folder, "config.json")) in T5_FAMILY:
                        yield _of(_reference(model.repo_id, revision), folder)


def _reference(name: str, revision: Any) -> str:
    """The shortest reference that leads to a revision in the cache."""
    stands_in = {commit for _, commit in hub.remembered(hub.Asked(name))[:1]}
    if hub.MAIN in revision.refs or revision.commit_hash in stands_in:
        return name
    known = sorted(ref for ref in revision.refs if not ref.startswith(hub.REMARKS))
    return f"{name}@{known[0] if known else revision.commit_hash}"
