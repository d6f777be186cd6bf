"""An experiment as a download, made when it is asked for: its report, and all of it for another machine."""

from __future__ import annotations

import time
from functools import lru_cache
from io import BytesIO

import streamlit as st

from app.ui import services
from compt_core.analysis.diagnosis import KINDS
from compt_core.runs.record import ExperimentRecord, State
from compt_core.runs.store import Store


def bar(experiment: ExperimentRecord) -> None:
    """The buttons, as far as there is something to download."""
    with st.container(horizontal=True):
        _report_button(experiment)
        _bundle_button(experiment)


def _bundle_button(experiment: ExperimentRecord) -> None:
    if experiment.states.keys() != {State.COMPLETED.value}:
        return
    store, identity = services.store(), experiment.id  # as below
    st.download_button("Bundle (ZIP)", lambda: _bundle(store, identity), f"compt-{identity}.zip", "application/zip",
                       icon=":material/folder_zip:", key="bundle", on_click="ignore",
                       help="All of the experiment, with its own tasks and their rows, for the button 'Import …' of "
                            "another machine. Texts of public data sets from the hub are not in it.")


def _bundle(store: Store, identity: str) -> bytes:
    from compt_core.exchange import carry

    file = BytesIO()
    carry.pack(store, identity, file)
    return file.getvalue()


def _report_button(experiment: ExperimentRecord) -> None:
    if not experiment.states.get(State.COMPLETED):
        return
    store, identity = services.store(), experiment.id  # not inside: the click is answered outside of any page
    st.download_button("Report (HTML)", lambda: _report(store, identity, _standing(store, identity)),
                       f"compt-{identity}.html", "text/html", icon=":material/download:", key="report",
                       on_click="ignore", help="One file with all scores, weights, curves and settings. It opens in "
                                               "any browser, without a network, and can be printed.")


def _standing(store: Store, identity: str) -> tuple[object, ...]:
    """What changes whenever the report would."""
    runs = tuple((run.id, run.state.value, run.step, run.finished) for run in store.runs(identity))
    return runs, repr(store.experiment(identity).references)


@lru_cache(maxsize=4)  # most are some hundred kilobytes
def _report(store: Store, identity: str, standing: tuple[object, ...]) -> bytes:
    from app.report import document as made  # its libraries are for those who click
    from app.report.studies import study

    runs, experiment = store.runs(identity), store.experiment(identity)
    curves = {kind: store.curves([run.id for run in runs], kind) for kind in KINDS}
    return made.report(experiment, runs, curves, time.time(), study(store, experiment)).encode()
