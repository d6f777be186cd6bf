"""The settings of a stored run or experiment, and the link that opens Launch with them."""

from __future__ import annotations

from typing import Any

import streamlit as st
from pydantic import ValidationError

from app.show import captions
from app.ui import components, services
from compt_core.errors import StoreError, UnknownId, quoted
from compt_core.settings.config import Experiment

FROM = "from"  # the name in Launch's address
OPENED = "opened_link"  # in the session: query, draft, title and notes of the link that Launch applied last


def offer(label: str, identity: str) -> None:
    """A link to Launch with the settings of a run or an experiment."""
    st.session_state.pop(OPENED, None)  # followed a second time, it is to be applied a second time
    st.page_link(components.page("launch"), label=label, icon=":material/add:", query_params={FROM: identity},
                 help="Opens Launch with these settings; nothing is queued before you say so.")


def settings(identity: str) -> tuple[Experiment, str]:
    """The settings of a run or an experiment, and a name for it. Raises StoreError."""
    try:
        config, name = _of_run(identity)
    except UnknownId:
        try:
            config, name = services.store().experiment(identity).config, f"experiment {identity}"
        except UnknownId:
            raise StoreError(f"This link starts from {quoted(identity)}, which is no run and no experiment of this "
                             "store; it may have been deleted.") from None
    try:
        return Experiment.model_validate(config), name
    except ValidationError:
        raise StoreError(f"The settings of {name} were stored by another version of ComPT Lab and can no longer "
                         "be read.") from None


def _of_run(identity: str) -> tuple[dict[str, Any], str]:
    run = services.store().run(identity)
    one = {"variants": {run.variant: {"method": run.method}}, "seeds": [run.seed], "shots": [run.shots]}
    kept = {name: value for name, value in run.config.items() if name not in ("variant", "method", "seed", "shots")}
    return kept | one, f"run {identity} ({captions.run_title(run)})"
