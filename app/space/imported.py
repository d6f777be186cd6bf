"""Prompts from elsewhere to compare with a run's: the uploader, and what is kept under the link's ``?foreign=``.

What was read from a file is kept, never the file itself: ``HOME/uploads/HASH/prompts.safetensors``, with the names and
what is known about their origin in its header.
"""

from __future__ import annotations

import json
import re

import numpy as np
import streamlit as st

from app.show import captions
from app.space.alike import IMPORTED
from app.space.names import FOREIGN, GROUPS
from app.ui import services, state, uploads
from compt_core.composition.geometry import Prompt
from compt_core.errors import DataError, StoreError
from compt_core.prompts import foreign
from compt_core.runs.record import RunRecord

_FILE, _KEY, _CONFIG, _SAID = "prompts.safetensors", "import", "import_config", "import_said"
_HASH = re.compile(r"[0-9a-f]{32}")
_LONGEST = 40  # characters of a name
HELP = ("One file with prompts for the same backbone: .npy with an array [P, H] or [K, P, H], or .safetensors with "
        "tensors of these shapes, as peft writes its prompt_embeddings. Prompts may have any scale and length. What is "
        "read from the file is kept in this dashboard's home folder, for everybody who has a link to it.")
CONFIG_HELP = ("For a prompt written by peft: it says which vectors belong to the encoder, and which backbone they are "
               "for.")


def keep(name: str, data: bytes, hidden: int, config: bytes | None = None) -> str:
    """Reads a file of prompts (with peft's adapter_config.json, if given), keeps them, and returns the hash that names
    them. Raises DataError."""
    from safetensors.numpy import save

    notes: list[str] = []
    found = foreign.read(name, data, hidden, config, notes)
    tensors = {f"{i:02d}": one for i, one in enumerate(found.values())}
    about = {"names": [_called(name, title, len(found)) for title in found], "notes": notes,
             "backbone": foreign.origin(data, config)}
    header = {key: json.dumps(value) for key, value in about.items() if value}
    folder, _ = uploads.put({_FILE: save(tensors, header)}, lambda made: None)
    return folder.name


def _called(file: str, title: str, count: int) -> str:
    """A prompt's name: the file's if it holds only one prompt, else the name in the file."""
    stem = " ".join(file.rpartition(".")[0].split())
    text = (stem or title) if count == 1 else title if not title.isdigit() else f"{stem} {title}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST - 1]}…"


def load(identity: str) -> list[Prompt]:
    """The prompts kept under a hash. Raises StoreError if there are none."""
    return _load(identity)[0]


def _load(identity: str) -> tuple[list[Prompt], list[str], dict[str, str]]:
    """(the prompts that were kept, the notes on them, their backbone's id and hash as far as known)."""
    from safetensors import SafetensorError, safe_open

    path = uploads.uploads_folder() / identity / _FILE
    if not _HASH.fullmatch(identity) or not path.is_file():
        raise StoreError("This link names imported prompts that are not kept here. Import the file again.")
    try:
        with safe_open(path, "numpy") as handle:
            header = handle.metadata()
            names, notes = json.loads(header["names"]), json.loads(header.get("notes", "[]"))
            backbone = json.loads(header.get("backbone", "{}"))
            arrays = [np.asarray(handle.get_tensor(f"{i:02d}")) for i in range(len(names))]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"The imported prompts in '{path}' cannot be read: {error}. Import the file again.") from None
    numbered = foreign.numbered(map(str, names))
    prompts = [Prompt(IMPORTED, name, one) for name, one in zip(numbered, arrays, strict=True)]
    return prompts, notes, backbone


def chosen(run: RunRecord, hidden: int) -> list[Prompt]:
    """The prompts that the link names, if any. Prompts of another hidden size than the run's are left out, and the page
    says so. It also says what was used of peft's, and if another backbone was. Raises StoreError for a wrong link."""
    identity = st.query_params.get(FOREIGN)
    if identity is None:
        return []
    found, notes, backbone = _load(str(identity))
    if (size := found[0].vectors.shape[1]) != hidden:
        st.info(f"The imported prompts have H = {size:,}, this run's H = {hidden:,}, so they are left out here.")
        return []
    if said := " ".join(captions.literal(note) for note in [*notes, *_other(run, backbone)]):
        st.info(f"About the imported prompts: {said}")
    return found


def _other(run: RunRecord, backbone: dict[str, str]) -> list[str]:
    """A sentence if the prompts are, or may be, for another backbone than the run's."""
    own = {"id": run.config["backbone"], **run.backbone}
    told_by = "hash" if "hash" in backbone else "id"
    if backbone.get(told_by) in (None, own.get(told_by)):
        return []
    theirs = f"They were trained on the backbone '{backbone.get('id', '?')}', this run on '{own['id']}'"
    if told_by == "hash":
        return [f"{theirs}, with other weights. So a similarity between the prompts means nothing."]
    return [f"{theirs}. A similarity between the prompts means nothing unless the two are the same model."]


def box(hidden: int, taken: int) -> None:
    """The uploader, and the button that leaves out what was imported (`taken` prompts)."""
    opened = st.expander("Import prompts to compare with", icon=":material/upload_file:", key="importer",
                         on_change="rerun")
    if not opened.open:
        return
    with opened:
        st.file_uploader("A file of prompts", list(foreign.ENDINGS), key=_KEY, help=HELP,
                         max_upload_size=foreign.MOST_BYTES // 10**6)
        st.file_uploader("peft's adapter_config.json, if there is one", "json", key=_CONFIG, help=CONFIG_HELP,
                         max_upload_size=1)
        with st.container(horizontal=True):
            sent = st.session_state.get(_KEY)
            st.button("Show these prompts", icon=":material/check:", key="import_take", disabled=not sent,
                      on_click=_take, args=(hidden,), help="Reads the file." if sent else "Choose a file first.")
            st.button("Leave them out again", icon=":material/close:", key="import_drop", disabled=not taken,
                      on_click=_drop, help="The file stays under its link.")
        if said := st.session_state.pop(_SAID, None):
            st.markdown(said)


def _take(hidden: int) -> None:
    """Callback: keeps the prompts of the file and puts them into the link, or says what is wrong with the file."""
    sent, config = st.session_state[_KEY], st.session_state.get(_CONFIG)
    try:
        services.store()  # if the store is gone, its folder must not come back with only this file in it
        identity = keep(sent.name, sent.getvalue(), hidden, config.getvalue() if config else None)
    except (DataError, StoreError) as error:
        st.session_state[_SAID] = f":red[:material/error: {captions.literal(error)}]"
        return
    st.query_params[FOREIGN] = identity
    state.join_several(GROUPS, IMPORTED)
    st.session_state[_SAID] = f":material/check: {captions.plural(len(load(identity)), 'prompt')} of " \
                              f"{captions.literal(sent.name)} are now shown next to this run's prompts."


def _drop() -> None:
    st.query_params.pop(FOREIGN, None)
