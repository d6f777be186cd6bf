"""How to repeat an experiment or one of its runs: a link to Launch, the command line, the settings."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.show import captions
from app.ui import command, drafts, services, stored
from compt_core.errors import StoreError
from compt_core.runs.record import ExperimentRecord, RunRecord
from compt_core.settings.config import Experiment, to_yaml


def bar(experiment: ExperimentRecord) -> None:
    """Shown to everybody, also for runs of somebody else: whoever can see a run can repeat it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        stored.offer("New from this", experiment.id)
        box = st.popover("Repeat it …", icon=":material/content_copy:", key="again", on_change="rerun",
                         help="The command line and the settings file, for all runs or for one.")
        if box.open:
            with box:
                _menu(experiment, services.store().runs(experiment.id))


def _menu(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> None:
    lines = {experiment.id: captions.every(len(runs), 'run'), **{run.id: captions.run_title(run) for run in runs}}
    chosen = st.selectbox("Which runs", list(lines), format_func=lambda name: lines.get(name, name),
                          key=f"again-{experiment.id}")
    if chosen != experiment.id:
        stored.offer("New from this run", chosen)
    try:
        settings, _ = stored.settings(chosen)
    except StoreError as error:
        st.warning(captions.literal(error), icon=":material/error:")
        return
    _repeat(settings, experiment)


def _repeat(settings: Experiment, experiment: ExperimentRecord) -> None:
    st.markdown("**From the command line**")
    line, notes = command.again(settings, experiment.tasks)
    st.code(line, language="bash", wrap_lines=True)
    for note in notes:
        st.caption(captions.literal(note))
    st.markdown("**The settings file**")
    st.code(to_yaml(settings), language="yaml", height=220)
    st.download_button("Download", to_yaml(settings), drafts.SETTINGS_FILE, "application/yaml", key="again_file",
                       icon=":material/download:", on_click="ignore",
                       help="A settings file that the command line takes with --config.")
