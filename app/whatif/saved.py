"""Named edits of an experiment: saved in the store, opened again, compared with each other, downloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
import streamlit as st

from app.show import captions, exports, weights
from app.show.captions import literal
from app.ui import components, controls, services, state
from app.whatif import link
from compt_core.errors import StoreError
from compt_core.runs.edits import LONGEST_NAME
from compt_core.runs.record import RunRecord, SavedEdit
from compt_core.whatif.change import Change
from compt_core.whatif.document import document
from compt_core.whatif.edit import Edit, write

_NAME = "edit_name"


def bar(run: RunRecord, edit: Edit, changed: pd.DataFrame, changes: Sequence[Change]) -> None:
    """The field for a name, the Save button, and the edit as downloads."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Name", key=_NAME, max_chars=LONGEST_NAME, placeholder="a name for this edit", width=280,
                      help="Saves the edit and its scores for everybody who opens this experiment.")
        st.button("Save", icon=":material/bookmark_add:", key="save-edit", on_click=_save, args=(run, edit, changes))
        st.download_button("CSV", exports.table(changed), f"whatif-{run.id}.csv", "text/csv", key="whatif-csv",
                           icon=":material/download:", on_click="ignore", help="One line per task, values from 0 to 1.")
        st.download_button("JSON", document(run, edit, changes).encode(), f"whatif-{run.id}.json", "application/json",
                           icon=":material/download:", key="whatif-json", on_click="ignore",
                           help="The edit and all its effects, with the numbers of the rows whose answer changed.")


def _save(run: RunRecord, edit: Edit, changes: Sequence[Change]) -> None:
    try:
        services.store().edits.save(run.id, st.session_state.get(_NAME, ""), write(edit),
                                    {one.task: asdict(one) for one in changes}, owner=services.owner())
    except StoreError as error:
        state.complain(error)
        return
    st.session_state[_NAME] = ""


def _delete(edit: str) -> None:
    try:
        services.store().edits.delete(edit, owner=services.owner())
    except StoreError as error:
        state.complain(error)


def shelf(runs: Sequence[RunRecord]) -> None:
    """The named edits of an experiment's runs; shows nothing if there are none."""
    known = {run.id: run for run in runs}
    kept, damaged = services.store().edits.read(list(known))
    if not kept and not damaged:
        return
    st.header("Saved edits", anchor=False)
    for row in damaged:
        st.warning(literal(row), icon=":material/error:")
        st.button("Delete", icon=":material/delete:", key=f"delete-{row.name}", on_click=_delete, args=(row.name,))
    cells = compared(kept, known)
    if kept and len(cells):
        best = max(kept, key=_mean)
        said = [f"{captions.plural(len(kept), 'saved edit')}. The highest mean change: **{literal(best.name)}** "
                f"({100 * _mean(best):+.1f} points over its tasks)."]
        controls.heatmap(cells, "difference", captions.plain(said), "saved", "edited minus trained, points")
        components.findings(said, ["Each edit is compared with its own run as trained. There is no correction for how "
                                   "many edits were tried."])
    for one in kept:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            about = f"{literal(captions.run_line(known[one.run]))} · mean {100 * _mean(one):+.1f} points"
            st.markdown(f"**{literal(one.name)}** — {literal(one.text)}  \n:small[{about}]", width="stretch")
            st.button("Open", icon=":material/open_in_new:", key=f"open-{one.id}", on_click=_open, args=(one,))
            if one.owner == services.owner():
                st.button("Delete", icon=":material/delete:", key=f"delete-{one.id}",
                          on_click=_delete, args=(one.id,))


def compared(kept: Sequence[SavedEdit], known: Mapping[str, RunRecord]) -> pd.DataFrame:
    """Differences of edits x tasks for charts.heatmap: row, column, value, half (NaN), n, and a score's marks."""
    lines = []
    for one in kept:
        name = one.name if sum(other.name == one.name for other in kept) == 1 else f"{one.name} ({one.run})"
        for task in weights.by_family(known[one.run].config["tasks"], known[one.run].tasks):
            if task in one.changes:
                lines.append({"row": name, "column": task, "value": _difference(one.changes[task]),
                              "half": float("nan"), "n": 1, "constant": False, "undefined": False})
    return pd.DataFrame(lines)


def _difference(change: Mapping[str, Any]) -> float:
    return float((change.get("after") or 0.0) - (change.get("before") or 0.0))


def _mean(one: SavedEdit) -> float:
    return sum(map(_difference, one.changes.values())) / max(1, len(one.changes))


def _open(one: SavedEdit) -> None:
    st.query_params[state.RUN] = one.run
    link.put_text(one.text, one.run)
