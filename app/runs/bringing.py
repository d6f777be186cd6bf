"""Takes in an experiment that another machine exported, by upload. Of the rows it takes only text, as uploads do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.ui import services, state, uploads
from compt_core.errors import ComptError, DataError
from compt_core.scratch import scratch

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_KEY = "brought"


def box() -> None:
    """A button that opens the upload."""
    opened = st.popover("Import …", icon=":material/upload:", key="bring", on_change="rerun",
                        help="An experiment that was exported as a bundle on another machine.")
    if opened.open:
        with opened:
            file = st.file_uploader("A bundle", type="zip", key=_KEY, help="What the button 'Bundle (ZIP)' or "
                                    "`python -m compt_core export ID --format bundle` gave.")
            st.button("Import it", icon=":material/check:", key="bring_it", on_click=_take, args=(file,),
                      disabled=file is None)


def _take(file: UploadedFile) -> None:
    from compt_core.exchange import carry

    store = services.store()
    try:
        with scratch(store.home, "brought") as room:
            (room / "bundle.zip").write_bytes(file.getvalue())
            experiment, new = carry.unpack(store, room / "bundle.zip", "The uploaded file", uploads.ENDINGS)
    except OSError as error:
        return state.complain(DataError(f"The upload cannot be kept in '{store.home}': {error.strerror or error}."))
    except ComptError as error:
        return state.complain(error)
    st.query_params.from_dict({state.EXPERIMENT: experiment.id})
    state.tell(carry.line(experiment, new))
