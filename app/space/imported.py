"""Prompts from elsewhere to look at beside a run's: the uploader, and what was kept under the link's ``?foreign=``.

Kept is what was read of a file, never the file: ``HOME/uploads/HASH/prompts.safetensors``, names in its header, and
what is known of where they come from.
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
from compt_core.analysis import imported
from compt_core.composition.geometry import Prompt
from compt_core.errors import DataError, StoreError
from compt_core.runs.record import RunRecord

_FILE, _KEY, _CONFIG, _SAID = "prompts.safetensors", "import", "import_config", "import_said"
_HASH = re.compile(r"[0-9a-f]{32}")
_LONGEST = 40  # characters of a name
HELP = ("One file with prompts of the same backbone: .npy with an array [P, H] or [K, P, H], or .safetensors with such "
        "tensors, as peft writes its prompt_embeddings. Prompts of any scale and length. What is read of it is kept in "
        "this dashboard's home folder, for everybody who has a link to it.")
CONFIG_HELP = ("Of a prompt that peft wrote: it says which of the vectors are the encoder's, and of which backbone.")


def keep(name: str, data: bytes, hidden: int, config: bytes | None = None) -> str:
    """Reads a file of prompts, as peft's adapter_config.json says where there is one, and keeps them; the hash that
    names them. Raises DataError."""
    from safetensors.numpy import save

    notes: list[str] = []
    found = imported.read(name, data, hidden, config, notes)
    tensors = {f"{i:02d}": one for i, one in enumerate(found.values())}
    about = {"names": [_called(name, title, len(found)) for title in found], "notes": notes,
             "backbone": imported.origin(data, config)}
    header = {key: json.dumps(value) for key, value in about.items() if value}
    folder, _ = uploads.put({_FILE: save(tensors, header)}, lambda made: None)
    return folder.name


def _called(file: str, title: str, count: int) -> str:
    """What a prompt is called: after its file where that holds one, else as in the file."""
    stem = " ".join(file.rpartition(".")[0].split())
    text = (stem or title) if count == 1 else title if not title.isdigit() else f"{stem} {title}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST - 1]}…"


def load(identity: str) -> list[Prompt]:
    """What was kept under a hash. Raises StoreError where there is nothing."""
    return _load(identity)[0]


def _load(identity: str) -> tuple[list[Prompt], list[str], dict[str, str]]:
    """(the prompts that were kept, what was said of them, their backbone's id and hash as far as known)."""
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
    numbered = imported.numbered(map(str, names))
    prompts = [Prompt(IMPORTED, name, one) for name, one in zip(numbered, arrays, strict=True)]
    return prompts, notes, backbone


def chosen(run: RunRecord, hidden: int) -> list[Prompt]:
    """The prompts of the link, if it names any; of another hidden size than the run's they are left out, and it is
    said. So is what is used of peft's, and that they are of another backbone. Raises StoreError for a wrong link."""
    identity = st.query_params.get(FOREIGN)
    if identity is None:
        return []
    found, notes, backbone = _load(str(identity))
    if (size := found[0].vectors.shape[1]) != hidden:
        st.info(f"The imported prompts have H = {size:,}, this run's H = {hidden:,}: they are left out here.")
        return []
    if said := " ".join(captions.literal(note) for note in [*notes, *_other(run, backbone)]):
        st.info(f"The imported prompts: {said}")
    return found


def _other(run: RunRecord, backbone: dict[str, str]) -> list[str]:
    """A sentence where prompts are, or may be, of another backbone than the run's."""
    own = {"id": run.config["backbone"], **run.backbone}
    told_by = "hash" if "hash" in backbone else "id"
    if backbone.get(told_by) in (None, own.get(told_by)):
        return []
    theirs = f"They were trained on the backbone '{backbone.get('id', '?')}', this run on '{own['id']}'"
    if told_by == "hash":
        return [f"{theirs}, with other weights: no likeness between the two means anything."]
    return [f"{theirs}: unless the two are the same model, no likeness between them means anything."]


def box(hidden: int, taken: int) -> None:
    """The uploader, and the way to leave out what was imported (`taken` prompts)."""
    opened = st.expander("Import prompts to compare with", icon=":material/upload_file:", key="importer",
                         on_change="rerun")
    if not opened.open:
        return
    with opened:
        st.file_uploader("A file of prompts", list(imported.ENDINGS), key=_KEY, help=HELP,
                         max_upload_size=imported.MOST_BYTES // 10**6)
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
    """Callback: keeps the file and puts it into the link, or says what is wrong with it."""
    sent, config = st.session_state[_KEY], st.session_state.get(_CONFIG)
    try:
        services.store()  # gone, its folder must not come back with nothing but this file
        identity = keep(sent.name, sent.getvalue(), hidden, config.getvalue() if config else None)
    except (DataError, StoreError) as error:
        st.session_state[_SAID] = f":red[:material/error: {captions.literal(error)}]"
        return
    st.query_params[FOREIGN] = identity
    state.join_several(GROUPS, IMPORTED)
    st.session_state[_SAID] = f":material/check: {captions.plural(len(load(identity)), 'prompt')} of " \
                              f"{captions.literal(sent.name)} can be seen beside this run's."


def _drop() -> None:
    st.query_params.pop(FOREIGN, None)
