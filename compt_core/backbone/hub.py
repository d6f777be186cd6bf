"""Models of the hub: what lies there, at which revision, and their files in the hub's own cache. Loads no torch.

Many published T5s have pickled weights on their main branch, which are never loaded here. The hub's own bot has written
them as safetensors into a branch called refs/pr/N, which is used as transformers uses it. A remark in the hub's cache
says which branch that was, for the time without a network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from compt_core.backbone.choice import BESIDE, Plan, choose
from compt_core.errors import BackboneError, nearest, quoted

HUB_SECONDS = 5.0  # without an answer in this time the hub counts as unreachable
MAIN = "main"
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)  # of at most 96 characters
_NEVER = re.compile(r"--|\.\.|\.git$|[.-](/|$)")  # in an id: the hub's client refuses these
_REVISION = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*", re.ASCII)  # of at most 100 characters; no "..", which climbs
_COMMIT = re.compile(r"[0-9a-f]{40}")
# The bot and the title by which transformers finds the branch (transformers/safetensors_conversion.py).
BOT, TITLE = "SFconvertbot", "Adding `safetensors` variant of this model"
MOST_BRANCHES = 20  # of the bot, looked at from the newest on
REMARKS = "compt-conversion"  # folder below the cache's "refs": N, a file with the commit of refs/pr/N that was used


@dataclass(frozen=True)
class Asked:
    """A model of the hub as it was asked for; without a revision, main is meant, or its conversion branch."""

    id: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.id if self.revision is None else f"{self.id}@{self.revision}"


@dataclass(frozen=True)
class Entry:
    """A file on the hub: its size in bytes, if known, and what stands for its content."""

    size: int | None
    blob: str | None


@dataclass(frozen=True)
class Listing:
    """What the hub says of a model at a revision; `stale` names conversion branches that were left out, since they
    were made of other files than those on main now."""

    asked: Asked
    revision: str
    commit: str
    files: Mapping[str, Entry]
    licence: str | None = None
    stale: tuple[str, ...] = field(default=())

    @property
    def plan(self) -> Plan:
        """What is read of it, judged by the names of its files."""
        return choose(self.files)

    def size(self, plan: Plan) -> int | None:
        """Bytes of the files that are read; None where the hub does not say."""
        sizes = [self.files[name].size for name in plan.files if name in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def insist(self) -> None:
        """Raises BackboneError if something stands in the way."""
        plan = self.plan
        if plan.weights == "pickled" and self.stale:
            raise BackboneError(f"The backbone '{self.asked}' has only pickled weights on its main branch, and its "
                                f"conversion branch {self.stale[0]} was made of older files. To use that one as it is, "
                                f"give '{self.asked.id}@{self.stale[0]}'.")
        plan.insist(str(self.asked))


def parse(ref: str) -> Asked | None:
    """A reference ID or ID@REVISION; None if it is not of this form. Raises BackboneError for a wrong revision."""
    name, at, revision = ref.partition("@")
    if len(name) > 96 or not _ID.fullmatch(name) or _NEVER.search(name):
        return None
    if not at:
        return Asked(name)
    parts = revision.split("/")
    if len(revision) > 100 or not _REVISION.fullmatch(revision) or ".." in revision or any(
            part.endswith((".", ".lock")) for part in parts):
        raise BackboneError(f"The revision of the backbone {quoted(ref, 200)} must be a branch, a tag, a commit or "
                            f"refs/pr/N. Got {quoted(revision)}; write '{name}@main', for example.")
    return Asked(name, revision)


def look(asked: Asked) -> Listing:
    """What the hub has for a reference: the files of its revision or, where main has only pickled weights, those of its
    conversion branch. Raises BackboneError where there is no such model, Unreachable where the hub does not answer."""
    listing = _listing(asked, asked.revision or MAIN)
    if asked.revision is not None or listing.plan.weights != "pickled":
        return listing
    stale: list[str] = []
    for branch in islice(_branches(asked), MOST_BRANCHES):
        found = _listing(asked, branch)
        if found.plan.weights == "safetensors":
            if _same(listing, found):
                return replace(found, licence=listing.licence)
            stale.append(branch)
    return replace(listing, stale=tuple(stale))


class Unreachable(Exception):
    """The hub does not answer; str() says why, as the end of a sentence."""


def _listing(asked: Asked, revision: str) -> Listing:
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    if constants.HF_HUB_OFFLINE:
        raise Unreachable("HF_HUB_OFFLINE is set")
    try:  # asked first, since a download waits for an answer for ever
        about = HfApi().model_info(asked.id, revision=revision, files_metadata=True, timeout=HUB_SECONDS)
    except GatedRepoError:
        raise BackboneError(f"The hub gives out the model '{asked.id}' only to people who agreed to its terms. Agree "
                            "on its page, log in with 'hf auth login', and try again.") from None
    except RepositoryNotFoundError:
        raise BackboneError(f"The hub has no public model '{asked.id}'. Check the id, or give a local folder."
                            f"{nearest(asked.id, ('demo', 'english'))}") from None
    except RevisionNotFoundError:
        raise BackboneError(f"The hub's model '{asked.id}' has no revision {quoted(revision)}. Give a branch, a tag, a "
                            "commit or refs/pr/N that it has.") from None
    except Exception:  # errors of the hub, the network and the disk have no common type
        raise Unreachable("it cannot be reached") from None
    files = {one.rfilename: Entry(one.size, one.blob_id) for one in about.siblings or ()}
    return Listing(asked, revision, about.sha or "", files, _licence(about))


def _licence(about: Any) -> str | None:
    """What the model card names as its licence."""
    card = getattr(about, "card_data", None)
    named = card.get("license") if card is not None else None
    tagged = (tag.partition(":")[2] for tag in getattr(about, "tags", None) or () if tag.startswith("license:"))
    return named if isinstance(named, str) else next(tagged, None)


def _branches(asked: Asked) -> Iterator[str]:
    """The open conversion branches of the hub's own bot, newest first; anybody may open one under the same title."""
    from huggingface_hub import HfApi

    with suppress(Exception):  # a model may have its discussions switched off
        for found in HfApi().get_repo_discussions(asked.id, author=BOT, discussion_type="pull_request",
                                                  discussion_status="open"):
            if (found.author, found.title, found.status) == (BOT, TITLE, "open") and found.is_pull_request:
                yield f"refs/pr/{int(found.num)}"


def _same(main: Listing, branch: Listing) -> bool:
    """Whether a branch was made of the files that are on main now. transformers asks for the same last commit, which
    a word changed in the model card ends."""
    return all(entry.blob is not None and name in branch.files and branch.files[name].blob == entry.blob
               for name, entry in main.files.items() if name in main.plan.files)


def download(asked: Asked) -> tuple[Path, str]:
    """The folder of a model in the hub's cache, updated if the hub answers, and its revision in words.

    Raises BackboneError.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        listing = look(asked)
    except Unreachable as error:
        with suppress(BackboneError):
            return cached(asked)
        raise _not_fetched(asked, str(error)) from error
    listing.insist()
    try:
        folder = Path(snapshot_download(asked.id, revision=listing.revision, allow_patterns=list(listing.plan.files)))
    except Exception as error:
        with suppress(BackboneError):  # the hub or the disk gave up meanwhile
            if isinstance(error, LocalEntryNotFoundError):
                return cached(asked)
        raise _not_fetched(asked, type(error).__name__) from error
    if asked.revision is None and listing.revision != MAIN:
        remember(asked, listing.revision, folder.name)
    return folder, told(listing.revision, folder.name)


def fetched(listing: Listing, progress: Callable[[str], Any] = lambda _: None) -> Path:
    """The folder with all files that a listing's plan names, in the hub's cache. Raises BackboneError.

    They come one after the other; `progress` gives for the name of each a class like tqdm's, which is told of its
    bytes, or None for the hub's own bar.
    """
    from huggingface_hub import hf_hub_download

    folder, asked = Path(), listing.asked
    for name in listing.plan.files:
        try:
            folder = Path(hf_hub_download(asked.id, name, revision=listing.revision,
                                          tqdm_class=progress(name))).parent
        except Exception as error:  # of the hub, the network and the disk
            raise _not_fetched(asked, type(error).__name__) from error
    return folder


def _not_fetched(asked: Asked, reason: str) -> BackboneError:
    return BackboneError(f"The backbone '{asked}' is not a local folder and could not be fetched from the hub: "
                         f"{reason}. Check the network, or download it elsewhere and give its folder."
                         f"{nearest(asked.id, ('demo', 'english'))}")


def told(revision: str, commit: str) -> str:
    """A revision in words."""
    return f"commit {commit}" if revision == commit else f"{revision}, commit {commit}"


def cached(asked: Asked) -> tuple[Path, str]:
    """The folder of a model in the hub's cache as it is now, and its revision in words. Asks nobody.

    Raises BackboneError where it is not there as a whole.
    """
    tries = [(asked.revision or MAIN, asked.revision or MAIN)]
    if asked.revision is None:
        tries += [(f"refs/pr/{number}", commit) for number, commit in remembered(asked)]
    for name, revision in tries:
        with suppress(Exception):  # nothing there, a cache that cannot be read, …: one message for all
            folder = _snapshot(asked, revision)
            if choose([file.name for file in folder.iterdir()]).weights == "safetensors":
                return folder, told(name, folder.name)
    raise BackboneError(f"The backbone '{asked}' is not in the hub's cache on this machine, and looking at results "
                        f"downloads nothing. Fetch it with 'python -m compt_core backbone fetch {asked}', then open "
                        "this again.")


def _snapshot(asked: Asked, revision: str) -> Path:
    """The folder of a revision in the cache. Raises where it is not there, or where files that are read are missing."""
    from huggingface_hub import snapshot_download

    patterns = [*BESIDE, "model.safetensors", "model-?????-of-?????.safetensors"]
    return Path(snapshot_download(asked.id, revision=revision, allow_patterns=patterns, local_files_only=True))


def _remarks(asked: Asked) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=asked.id, repo_type="model") / "refs" / REMARKS


def remember(asked: Asked, branch: str, commit: str) -> None:
    """Writes down, in the form of the cache's own refs, that a conversion branch stands in for main."""
    with suppress(OSError):  # a cache that cannot be written to; without a network the model will not be found
        file = _remarks(asked) / branch.rpartition("/")[2]
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.{os.getpid()}")
        part.write_text(commit)
        part.replace(file)


def remembered(asked: Asked) -> list[tuple[int, str]]:
    """(N, commit) of the conversion branches refs/pr/N that stood in for main, the last one first."""
    found: list[tuple[float, int, str]] = []
    with suppress(OSError):
        for file in _remarks(asked).iterdir():
            with suppress(OSError, ValueError):
                commit = file.read_text().strip()
                if file.name.isascii() and file.name.isdigit() and _COMMIT.fullmatch(commit):
                    found.append((file.stat().st_mtime, int(file.name), commit))
    return [(number, commit) for _, number, commit in sorted(found, reverse=True)]
