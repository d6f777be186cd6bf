"""What is to be known of a backbone before it is used: what is there, its sizes, its licence, what it was trained on.

Of a model on the hub, only its list of files and its small configuration files are asked for. Loads no torch.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from compt_core.backbone import english, hub
from compt_core.backbone.choice import Plan, choose
from compt_core.backbone.config import T5Settings, parameters, read_settings
from compt_core.backbone.files import check_contents, check_folder
from compt_core.backbone.load import DEMO, NAMED
from compt_core.backbone.tokenizer import beside
from compt_core.errors import BackboneError, nearest, quoted
from compt_core.tasks.seen import family, seen_glue


@dataclass(frozen=True)
class About:
    """A backbone that was looked at.

    place     where it lies, in words
    revision  of a hub id: branch and commit; else ""
    plan      what is read of its files
    settings  what its config.json says; None where that is missing or not that of a T5
    here      bytes of its files on this machine; fetch: bytes still to be downloaded; None where not known
    licence   as its model card names it
    problem   why it cannot be used, as a sentence; "" if it can
    """

    ref: str
    place: str
    revision: str
    plan: Plan
    settings: T5Settings | None
    here: int | None
    fetch: int | None
    licence: str | None
    problem: str

    def rows(self) -> list[tuple[str, str]]:
        """(what, how it is) for a table."""
        seen, why = seen_glue(self.ref)
        rows = [("backbone", self.ref), ("where", self.place), ("revision", self.revision),
                ("files that are read", ", ".join(self.plan.files)), ("tokenizer", self.plan.tokenizer)]
        if self.settings is not None:
            known = family(self.ref)
            rows += [("family", known.name if known else ""), ("architecture", architecture(self.settings)),
                     ("parameters", f"{parameters(self.settings):,}"), ("hidden size", f"{self.settings.d_model:,}"),
                     ("vocabulary", f"{self.settings.vocab_size:,}")]
        rows += [("on this machine", "" if self.here is None else size(self.here)),
                 ("to be downloaded", "" if self.fetch is None else size(self.fetch)),
                 ("licence", self.licence or "not named"), ("trained on GLUE", f"{seen}. {why}"),
                 ("can be used", "no" if self.problem else "yes")]
        return [(what, how) for what, how in rows if how]


def architecture(settings: T5Settings) -> str:
    """The kind of model and its parts, in words."""
    own = settings.tie_word_embeddings is False
    gated = "gated " if settings.gated else ""
    return (f"{settings.model_type}: {settings.num_layers} + {settings.decoder_layers} layers, {settings.num_heads} "
            f"heads of {settings.d_kv}, feed-forward {settings.d_ff:,} ({gated}{settings.activation}), "
            f"{'head of its own' if own else 'head shared with the table of words'}")


def size(number: int) -> str:
    """Bytes in words: ``"308 MB"``."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= unit:
            return f"{number / unit:,.3g} {name}"
    return f"{number:,} bytes"


def about(ref: str) -> About:
    """What is known of a backbone. Raises BackboneError where there is nothing of that name."""
    if ref == "demo":
        return _of_folder(ref, DEMO, "bundled with the project", licence="that of the project")
    if ref == english.ENGLISH:
        place = f"fetched from PyPI to '{english.folder()}'"
        return _of_folder(ref, english.fetched(), place, licence=english.LICENCES)
    if os.path.isdir(ref):
        return _of_folder(ref, Path(ref).resolve(), "a folder on this machine")
    asked = None if os.path.exists(ref) else hub.parse(ref)
    if asked is None:
        raise BackboneError(f"The backbone {quoted(ref, 200)} is not a folder. Give 'demo', 'english', a folder with "
                            "a T5 checkpoint, or a hub id such as google-t5/t5-small.")
    try:
        folder, revision = hub.cached(asked)
    except BackboneError:
        folder, revision = Path(), ""
    try:
        listing = hub.look(asked)
    except hub.Unreachable as error:
        if not revision:
            raise BackboneError(f"The backbone '{ref}' is not on this machine, and the hub could not be asked: "
                                f"{error}. Check the network, or give a folder.{nearest(asked.id, NAMED)}") from None
        return _of_folder(ref, folder, "in the hub's cache on this machine", revision)
    if revision == hub.told(listing.revision, listing.commit):
        return _of_folder(ref, folder, "in the hub's cache on this machine", revision, listing.licence)
    return _of_listing(ref, listing)


def _of_folder(ref: str, folder: Path, place: str, revision: str = "", licence: str | None = None) -> About:
    """What a folder holds, with all checks that are made before a run."""
    problem = ""
    names = [file.name for file in folder.iterdir() if file.is_file()]
    config = beside(folder, "config.json")
    plan = choose(names, config, beside(folder))
    try:
        check_contents(check_folder(ref, folder, revision))
    except BackboneError as error:
        problem = str(error)
    here = sum((folder / name).stat().st_size for name in plan.files)
    licence = licence or _named_licence(folder)
    return About(ref, place, revision, plan, _settings(ref, folder), here, 0, licence, problem)


def _of_listing(ref: str, listing: hub.Listing) -> About:
    """What the hub has, of which nothing but the configuration is fetched."""
    with TemporaryDirectory(prefix="compt-check-") as made:
        folder = Path(made)
        for name in ("config.json", "tokenizer_config.json"):
            _fetch_small(listing, name, folder)
        config = beside(folder, "config.json")
        plan = choose(listing.files, config or None, beside(folder))
        settings = _settings(ref, folder)
        problem = ""
        try:
            listing.insist()
            plan.insist(ref)
            read_settings(ref, folder)
        except BackboneError as error:
            problem = str(error).replace(str(folder), "the hub")
    return About(ref, "on the hub", hub.told(listing.revision, listing.commit), plan, settings, None,
                 listing.size(plan), listing.licence, problem)


def _fetch_small(listing: hub.Listing, name: str, folder: Path) -> None:
    """Puts a small file of the hub into `folder`, if it is there and small."""
    from huggingface_hub import hf_hub_download

    entry = listing.files.get(name)
    if entry is not None and (entry.size or 0) < 10_000_000:
        with suppress(Exception):  # then the check says what it lacks
            hf_hub_download(listing.asked.id, name, revision=listing.revision, local_dir=folder)


def _settings(ref: str, folder: Path) -> T5Settings | None:
    with suppress(BackboneError):
        return read_settings(ref, folder)
    return None


def _named_licence(folder: Path) -> str | None:
    """What the model card in a folder names as its licence, in its head between two lines of dashes."""
    with suppress(OSError, UnicodeDecodeError):
        with (folder / "README.md").open(encoding="utf-8") as file:
            before, _, head = file.read(20_000).partition("---\n")
        found = re.search(r"^license: *['\"]?([\w.+-]+)", head.partition("\n---")[0], re.MULTILINE)
        return found[1] if found and not before else None
    return None
